"""Tests POST /adversarial over HTTP: attacks, options and reported values."""

import io
import json
import math

import pytest
from PIL import Image
from skimage.metrics import structural_similarity

from models.attacks.options import ATTACKS
from models.pictures import decode, encode
from tests.app.live_service import Live, drawn
from tests.app.picture_requests import classify, fool, pixels
from tests.models.attacks.fallible import FALLIBLE

QUICK = {"steps": 20}


CASES = [
    pytest.param(attack, norm, size, id=f"{attack}-{norm}-{size[1]}x{size[0]}")
    for attack, entry in ATTACKS.items()
    for norm in entry.norms
    for size in ([(96, 128), (41, 30), (300, 200)] if attack == "fgsm" else [(96, 128)])
]


@pytest.mark.parametrize(("attack", "norm", "size"), CASES)
def test_the_report_is_true_of_the_returned_file(live: Live, attack: str, norm: str, size: tuple[int, int]) -> None:
    """For every attack and norm, norms are recomputed from the files, and /classify gives the reported classes."""
    origin = drawn(*size)
    quick = QUICK if "steps" in ATTACKS[attack].defaults else {}
    budget = {"epsilon": "6/255"} if norm == "linf" and "epsilon" in ATTACKS[attack].defaults else {}
    result = fool(live, encode(origin), attack=attack, norm=norm, **quick, **budget)
    changed = pixels(result["image"])
    assert changed.shape == origin.shape
    levels = changed.int() - origin.int()
    assert levels.abs().max() <= 6 or not budget
    assert result["norm"] == norm
    assert result["norms"]["linf"] == pytest.approx(levels.abs().max().item() / 255)
    assert result["norms"]["l2"] == pytest.approx(levels.double().norm().item() / 255, rel=1e-6)
    assert result["norms"]["l1"] == pytest.approx(levels.abs().sum().item() / 255, rel=1e-6)
    assert result["norms"]["l0"] == levels.any(dim=0).sum()
    for picture, prediction in ((origin, result["original"]), (changed, result["adversarial"])):
        prediction_of_file = classify(live, encode(picture))[0]
        assert prediction_of_file["label"] == prediction["label"]
        assert prediction_of_file["probability"] == pytest.approx(prediction["probability"], abs=1e-4)
    assert result["success"] is (result["adversarial"]["label"] != result["original"]["label"])
    assert result["probabilities"]["original"]["after"] <= result["original"]["probability"]
    assert result["perception"]["mean_levels"] == pytest.approx(levels.abs().double().mean().item())
    assert result["perception"]["unchanged"] == pytest.approx((levels == 0).double().mean().item())
    assert result["perception"]["ssim"] == pytest.approx(
        structural_similarity(*(levels.numpy() for levels in (changed, origin)), channel_axis=0, data_range=255),
        abs=1e-6,
    )
    assert result["success"] or attack in FALLIBLE or budget


def test_a_target_is_reached(live: Live, picture: bytes) -> None:
    present = fool(live, picture, steps=1)["original"]["label"]
    for target in {"cat", "dog", "Siamese cat"} - {present}:
        result = fool(live, picture, target=target, epsilon=0.06, steps=30)
        assert result["success"] and result["adversarial"]["label"] == target == result["target"]["label"]
        assert result["passes"] == {"forward": 33, "backward": 30}


def test_the_png_and_its_headers_have_the_reported_values(live: Live, picture: bytes) -> None:
    response = live.client.post("/adversarial", files={"image": picture}, data={"target": ""})
    image = Image.open(io.BytesIO(response.content))
    assert (response.headers["Content-Type"], image.size) == ("image/png", (128, 96))
    figures = json.loads(image.text["mirage"])
    assert response.headers["X-Mirage-Success"] == "true" and figures["success"] is True
    assert response.headers["X-Mirage-Label"] == figures["adversarial"]["label"]
    assert figures["target"] is None and "image" not in figures


def test_the_perturbation_is_centred_on_grey_and_spans_the_range(live: Live, picture: bytes) -> None:
    result = fool(live, picture)
    change = pixels(result["image"]).int() - decode(picture).int()
    perturbation = pixels(result["perturbation"]).int()
    assert (
        (perturbation[change > 0] > 128).all()
        and (perturbation[change < 0] < 127).all()
        and (perturbation[change == 0] == 128).all()
    )
    assert {0, 255} & set(perturbation.unique().tolist())


def test_the_same_seed_gives_the_same_picture(live: Live, picture: bytes) -> None:
    one, again, other = (fool(live, picture, attack="pgd", seed=seed, steps=3)["image"] for seed in (1, 1, 2))
    assert one == again != other


def test_at_the_deadline_of_a_client_the_best_result_is_returned(live: Live, picture: bytes) -> None:
    result = fool(live, encode(drawn(400, 400)), steps=1000, deadline_s=1.5)
    assert result["stopped"] is True
    assert result["passes"]["backward"] < 1000
    prediction_of_file = classify(live, encode(pixels(result["image"])))[0]
    assert prediction_of_file["label"] == result["adversarial"]["label"]


def test_the_model_may_be_given_in_the_query(live: Live, picture: bytes) -> None:
    for address, status in (("?model=tiny", 200), ("?model=lost", 404), ("?bogus=1", 422)):
        response = live.client.post(f"/adversarial{address}", files={"image": picture}, data={"steps": "1"})
        assert response.status_code == status


def test_confidence_is_the_lead_in_logits(live: Live, picture: bytes) -> None:
    """The difference of two logits is the logarithm of the ratio of their probabilities."""
    for confidence in (0.0, 3.0):
        result = fool(live, picture, attack="ddn", confidence=confidence)
        assert result["success"] and result["options"]["confidence"] == confidence
        ranked = classify(live, encode(pixels(result["image"])))
        label = result["original"]["label"]
        original_probability = next(row["probability"] for row in ranked if row["label"] == label)
        assert math.log(ranked[0]["probability"] / original_probability) >= confidence - 0.01


def test_the_patch_is_returned_as_a_picture(live: Live, picture: bytes) -> None:
    result = fool(live, picture, attack="patch", steps=5, size=0.4)
    square = pixels(result["patch"]["image"])
    assert square.shape == (3, 38, 38)
    assert 0 <= result["patch"]["success_rate"] <= 1
    assert fool(live, picture, attack="fgsm")["patch"] is None

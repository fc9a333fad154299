"""POST /adversarial over HTTP."""

import base64
import io
import json
import math
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from skimage.metrics import structural_similarity

from models.attacks.options import ATTACKS
from models.pictures import decode, encode
from tests.app.events import events
from tests.app.live_service import Live, drawn, eventually, serve


def fool(live: Live, picture: bytes, **fields: object) -> dict[str, Any]:
    """The JSON answer."""
    data = {key: str(value) for key, value in {"format": "json", **fields}.items()}
    answer = live.client.post("/adversarial", files={"image": picture}, data=data)
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    return told


def pixels(url: str) -> torch.Tensor:
    return decode(base64.b64decode(url.partition(",")[2]))


QUICK = {"steps": 20}
CASES = [
    pytest.param(attack, norm, size, id=f"{attack}-{norm}-{size[1]}x{size[0]}")
    for attack, entry in ATTACKS.items()
    for norm in entry.norms
    for size in ([(96, 128), (41, 30), (300, 200)] if attack in ("fgsm", "pgd") else [(96, 128)])
]


@pytest.mark.parametrize(("attack", "norm", "size"), CASES)
def test_the_report_is_true_of_the_returned_file(live: Live, attack: str, norm: str, size: tuple[int, int]) -> None:
    """Every attack in every norm: bound and norms recomputed from the files; the verdict is /classify's of them."""
    origin = drawn(*size)
    quick = QUICK if "steps" in ATTACKS[attack].defaults else {}
    budget = {"epsilon": "6/255"} if norm == "linf" and "epsilon" in ATTACKS[attack].defaults else {}
    told = fool(live, encode(origin), attack=attack, norm=norm, **quick, **budget)
    changed = pixels(told["image"])
    assert changed.shape == origin.shape
    levels = changed.int() - origin.int()
    assert levels.abs().max() <= 6 or not budget
    assert told["norm"] == norm
    assert told["norms"]["linf"] == pytest.approx(levels.abs().max().item() / 255)
    assert told["norms"]["l2"] == pytest.approx(levels.double().norm().item() / 255, rel=1e-6)
    assert told["norms"]["l1"] == pytest.approx(levels.abs().sum().item() / 255, rel=1e-6)
    assert told["norms"]["l0"] == levels.any(dim=0).sum()
    for picture, said in ((origin, told["original"]), (changed, told["adversarial"])):
        again = live.client.post("/classify", files={"image": encode(picture)}).json()["predictions"][0]
        assert again["label"] == said["label"]
        assert again["probability"] == pytest.approx(said["probability"], abs=1e-4)
    assert told["success"] is (told["adversarial"]["label"] != told["original"]["label"])
    assert told["probabilities"]["original"]["after"] <= told["original"]["probability"]
    assert told["perception"]["mean_levels"] == pytest.approx(levels.abs().double().mean().item())
    assert told["perception"]["ssim"] == pytest.approx(
        structural_similarity(*(each.numpy() for each in (changed, origin)), channel_axis=0, data_range=255), abs=1e-6
    )
    # What one step, twenty random windows or a small budget cannot do, others do.
    assert told["success"] or attack in ("fgsm", "bim", "mi_fgsm", "square", "patch", "deepfool") or budget


def test_a_target_is_reached(live: Live, picture: bytes) -> None:
    present = fool(live, picture, steps=1)["original"]["label"]
    for target in {"cat", "dog", "Siamese cat"} - {present}:
        told = fool(live, picture, target=target, epsilon=0.06, steps=30)
        assert told["success"] and told["adversarial"]["label"] == target == told["target"]["label"]
        assert told["passes"] == {"forward": 33, "backward": 30}


def test_the_picture_and_its_headers(live: Live, picture: bytes) -> None:
    answer = live.client.post("/adversarial", files={"image": picture}, data={"target": ""})
    image = Image.open(io.BytesIO(answer.content))
    assert (answer.headers["Content-Type"], image.size) == ("image/png", (128, 96))
    figures = json.loads(image.text["mirage"])
    assert answer.headers["X-Mirage-Success"] == "true" and figures["success"] is True
    assert answer.headers["X-Mirage-Label"] == figures["adversarial"]["label"]
    assert figures["target"] is None and "image" not in figures


def test_webp_is_as_exact_as_png(live: Live, picture: bytes) -> None:
    first, second = (
        live.client.post("/adversarial", files={"image": picture}, data={"format": format, "steps": "3"}).content
        for format in ("png", "webp")
    )
    assert (decode(first) == decode(second)).all()


def test_the_perturbation_is_centred_on_grey_and_spans_the_range(live: Live, picture: bytes) -> None:
    told = fool(live, picture)
    change = pixels(told["image"]).int() - pixels(encode_url(picture)).int()
    shown = pixels(told["perturbation"]).int()
    assert (shown[change > 0] > 128).all() and (shown[change < 0] < 127).all() and (shown[change == 0] == 128).all()
    assert {0, 255} & set(shown.unique().tolist())


def encode_url(picture: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(picture).decode()


def test_same_seed_same_picture(live: Live, picture: bytes) -> None:
    first, again, other = (fool(live, picture, attack="pgd", seed=seed, steps=3)["image"] for seed in (1, 1, 2))
    assert first == again != other


def test_progress_then_result(live: Live, picture: bytes) -> None:
    data = {"format": "events", "attack": "pgd", "steps": "3", "previews": "true"}
    with live.client.stream("POST", "/adversarial", files={"image": picture}, data=data) as answer:
        heard = list(events(answer.iter_lines()))
    assert [name for name, _ in heard] == ["progress"] * 3 + ["result"]
    assert heard[0][1]["preview"].startswith("data:image/png")
    assert heard[-1][1]["success"] is True


def test_a_failure_midway_is_an_event(live: Live, picture: bytes) -> None:
    """That the picture is of the target already turns out after the stream has begun."""
    present = fool(live, picture, steps=1)["original"]["label"]
    data = {"format": "events", "target": present}
    with live.client.stream("POST", "/adversarial", files={"image": picture}, data=data) as answer:
        ((name, told),) = events(answer.iter_lines())
    assert (name, told["status"]) == ("problem", 422)
    assert told["request_id"] == answer.headers["X-Request-ID"]


def test_a_clients_deadline_gives_the_best_so_far(live: Live, picture: bytes) -> None:
    told = fool(live, encode(drawn(400, 400)), steps=1000, deadline_s=1.5)
    assert told["stopped"] is True
    assert told["passes"]["backward"] < 1000
    again = live.client.post("/classify", files={"image": encode(pixels(told["image"]))}).json()["predictions"][0]
    assert again["label"] == told["adversarial"]["label"]


@pytest.mark.parametrize(
    ("fields", "status", "detail"),
    [
        ({"epsilon": "-0.1"}, 422, "epsilon: "),
        ({"epsilon": "0"}, 422, "epsilon: "),
        ({"epsilon": "nan"}, 422, "epsilon: "),
        ({"epsilon": "1/0"}, 422, "epsilon: "),
        ({"epsilon": "a/b"}, 422, "epsilon: "),
        ({"epsilon": "0.001"}, 422, "1/255"),
        ({"epsilon": "0.00392"}, 422, "1/255"),
        ({"steps": "1000000000"}, 422, "steps: "),
        ({"steps": "0"}, 422, "steps: "),
        ({"seed": "99999999999999999999"}, 422, "seed: "),
        ({"attack": "magic"}, 422, "choose one of auto, fgsm"),
        ({"attack": "fgsm", "steps": "3"}, 422, "fgsm takes no steps"),
        ({"norm": "l7"}, 422, "norm: "),
        ({"deadline_s": "0"}, 422, "deadline_s: "),
        ({"target": "unicorn"}, 404, "no class is called"),
        ({"target": "99"}, 404, "the indices are 0 to 3"),
        ({"model": "x"}, 404, "is served here"),
        ({"epsilonn": "0.1"}, 422, "epsilonn: "),
    ],
)
def test_options_out_of_range(live: Live, picture: bytes, fields: dict[str, str], status: int, detail: str) -> None:
    answer = live.client.post("/adversarial", files={"image": picture}, data=fields)
    assert (answer.status_code, answer.headers["Content-Type"]) == (status, "application/problem+json")
    assert detail in answer.json()["detail"]


def test_the_model_may_stand_in_the_address(live: Live, picture: bytes) -> None:
    for address, status in (("?model=tiny", 200), ("?model=lost", 404), ("?bogus=1", 422)):
        answer = live.client.post(f"/adversarial{address}", files={"image": picture}, data={"steps": "1"})
        assert answer.status_code == status


def test_pictures_under_attack_are_bounded_together(checkpoints: Path) -> None:
    """With room for 20,000 pixels, a picture of 12,288 keeps a second one out, but not a classification."""
    with serve(checkpoints=checkpoints, max_pixels=20_000) as live, ThreadPoolExecutor(1) as pool:
        long = pool.submit(fool, live, encode(drawn()), attack="pgd", steps=1000, deadline_s=3)
        eventually(lambda: live.service.engine.alive)
        answer = live.client.post("/adversarial", files={"image": encode(drawn())})
        assert (answer.status_code, answer.json()["type"]) == (503, "urn:mirage:problem:overloaded")
        assert live.client.post("/classify", files={"image": encode(drawn())}).status_code == 200
        assert long.result()["stopped"]
        eventually(lambda: not live.service.engine.alive)
        assert fool(live, encode(drawn()), attack="pgd", steps=1)["passes"]["backward"] == 1


def test_the_present_class_is_no_target(live: Live, picture: bytes) -> None:
    present = fool(live, picture, steps=1)["original"]["label"]
    answer = live.client.post("/adversarial", files={"image": picture}, data={"target": present})
    assert answer.status_code == 422 and "choose another target" in answer.json()["detail"]


def test_broken_pictures_and_missing_ones(live: Live) -> None:
    for content, status in ((b"junk", 415), (encode(drawn())[:3000], 422)):
        assert live.client.post("/adversarial", files={"image": content}).status_code == status
    answer = live.client.post("/adversarial", data={"epsilon": "0.1"})
    assert answer.status_code == 422 and "image: " in answer.json()["detail"]


def test_sixteen_at_once_share_batches(live: Live) -> None:
    """More than 8 rows a batch on average, by the engine's own counters as /metrics tells them."""

    def counted() -> tuple[float, float]:
        told = dict(line.rsplit(" ", 1) for line in live.client.get("/metrics").text.splitlines() if line[0] != "#")
        return tuple(float(told[f"mirage_engine_gradient_{what}_total"]) for what in ("rows", "batches"))  # type: ignore[return-value]

    eventually(lambda: live.service.engine.alive == 0)
    rows, batches = counted()
    with ThreadPoolExecutor(16) as pool:
        pictures = [encode(drawn(90 + seed, 120, seed)) for seed in range(16)]
        told = list(pool.map(lambda picture: fool(live, picture, attack="pgd", steps=40), pictures))
    now_rows, now_batches = counted()
    assert all(each["success"] for each in told)
    assert now_rows - rows == 16 * 40
    assert (now_rows - rows) / (now_batches - batches) > 8


def test_only_the_box_changes(live: Live, picture: bytes) -> None:
    told = fool(live, picture, attack="pgd", steps=5, box="20,10,50,60")
    changed = (pixels(told["image"]) != decode(picture)).any(dim=0)
    assert changed[10:70, 20:70].any()
    changed[10:70, 20:70] = False
    assert not changed.any()


def test_only_where_the_mask_is_light_does_it_change(live: Live, picture: bytes) -> None:
    """And where a box is given too, only where both allow it."""
    mask = torch.zeros(3, 96, 128, dtype=torch.uint8)
    mask[:, :, 64:] = 255
    for box, allowed in (("", (slice(0, 96), slice(64, 128))), ("0,0,100,50", (slice(0, 50), slice(64, 100)))):
        files = {"image": picture, "mask": encode(mask)}
        data = {"attack": "pgd", "steps": "4", "format": "json", "box": box}
        told = live.client.post("/adversarial", files=files, data=data).json()
        changed = (pixels(told["image"]) != decode(picture)).any(dim=0)
        assert changed[allowed].any()
        changed[allowed] = False
        assert not changed.any()


def test_a_jpeg_answer_is_made_to_outlive_its_encoding(live: Live, picture: bytes) -> None:
    """Every figure in the headers is true of the JPEG itself, at quality 95 or the one that was named."""
    for survive in ("", "jpeg:80"):
        data = {"attack": "ddn", "format": "jpeg", "survive": survive}
        answer = live.client.post("/adversarial", files={"image": picture}, data=data)
        assert answer.headers["Content-Type"] == "image/jpeg"
        assert answer.headers["X-Mirage-Success"] == "true"
        again = live.client.post("/classify", files={"image": answer.content}).json()["predictions"][0]
        assert again["label"] == answer.headers["X-Mirage-Label"] != answer.headers["X-Mirage-Original-Label"]
        assert again["probability"] == pytest.approx(float(answer.headers["X-Mirage-Probability"]), abs=2e-4)
        change = (decode(answer.content).double() - decode(picture).double()) / 255
        assert float(answer.headers["X-Mirage-L2"]) == pytest.approx(change.norm().item(), abs=1e-4)


def test_a_webp_is_no_longer_than_a_webp_can_be(live: Live) -> None:
    """16,384 pixels are one too many: told before the attack, and what to ask for instead."""
    wide = encode(torch.zeros(3, 520, 16_384, dtype=torch.uint8))
    answer = live.client.post("/adversarial", files={"image": wide}, data={"format": "webp"})
    assert answer.status_code == 413
    assert "16,383 pixels a side" in answer.json()["detail"] and "image/png" in answer.json()["detail"]


def test_confidence_leads_by_so_many_logits(live: Live, picture: bytes) -> None:
    """Of two probabilities, the logarithm of their ratio."""
    for confidence in (0.0, 3.0):
        told = fool(live, picture, attack="ddn", confidence=confidence)
        assert told["success"] and told["options"]["confidence"] == confidence
        data = {"image": encode(pixels(told["image"]))}
        ranked = live.client.post("/classify", files=data).json()["predictions"]
        label = told["original"]["label"]
        left = next(each["probability"] for each in ranked if each["label"] == label)
        assert math.log(ranked[0]["probability"] / left) >= confidence - 0.01


def test_the_patch_comes_as_a_picture_of_its_own(live: Live, picture: bytes) -> None:
    told = fool(live, picture, attack="patch", steps=5, size=0.4)
    square = pixels(told["patch"]["image"])
    assert square.shape == (3, 38, 38)
    assert 0 <= told["patch"]["success_rate"] <= 1
    assert fool(live, picture, attack="fgsm")["patch"] is None


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"epsilon": "-0.1"}, "epsilon"),
        ({"steps": str(10**9)}, "steps: Input should be less than or equal to 1000"),
        ({"target": "nan"}, "no class is called 'nan'"),
        ({"attack": "ddn", "norm": "linf"}, "ddn works in l2, not in 'linf'"),
        ({"attack": "ddn", "epsilon": "0.1"}, "ddn takes no epsilon"),
        ({"confidence": "nan"}, "confidence"),
        ({"confidence": "-1"}, "confidence"),
        ({"survive": "gif"}, "survive takes png, none, jpeg:Q"),
        ({"survive": "jpeg:0"}, "survive takes"),
        ({"survive": "resize:nan"}, "survive takes"),
        ({"box": "1,2,3"}, "left,top,width,height in pixels"),
        ({"box": "0,0,1000,10"}, "does not lie in a picture of 128 x 96"),
        ({"box": "-1,0,10,10"}, "left,top,width,height in pixels"),
        ({"attack": "patch", "box": "0,0,10,10"}, "patch chooses its own pixels"),
        ({"loss": "hinge", "attack": "apgd"}, "choose one of ce, dlr, dlr_targeted"),
        ({"norm": "l3"}, "norm"),
        ({"nonsense": "1"}, "nonsense: Extra inputs are not permitted"),
    ],
)
def test_hostile_options_are_named(live: Live, picture: bytes, fields: dict[str, str], reason: str) -> None:
    answer = live.client.post("/adversarial", files={"image": picture}, data=fields)
    assert answer.status_code == (404 if "target" in fields else 422)
    assert reason in answer.json()["detail"]


def test_a_mask_of_another_size_is_named(live: Live, picture: bytes) -> None:
    files = {"image": picture, "mask": encode(drawn(50, 50))}
    answer = live.client.post("/adversarial", files=files)
    assert answer.status_code == 422
    assert "mask: it has 50 x 50 pixels and the picture 128 x 96" in answer.json()["detail"]


def test_what_one_attack_holds_is_bounded(checkpoints: Path) -> None:
    """A picture of 12,288 pixels, resized to four times its sides in three views, where 20,000 are allowed."""
    with serve(checkpoints=checkpoints, max_pixels=20_000) as live:
        answer = live.client.post("/adversarial", files={"image": encode(drawn())}, data={"survive": "resize:4"})
        assert answer.status_code == 413 and "pixels at once" in answer.json()["detail"]


def test_a_box_beside_the_mask_allows_nothing(live: Live, picture: bytes) -> None:
    mask = torch.zeros(3, 96, 128, dtype=torch.uint8)
    mask[:, :, 64:] = 255
    files = {"image": picture, "mask": encode(mask)}
    answer = live.client.post("/adversarial", files=files, data={"box": "0,0,60,90"})
    assert answer.status_code == 422 and "nothing may change" in answer.json()["detail"]

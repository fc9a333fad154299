"""All that an attack reports over HTTP is true of the returned file, for photos of any size and a trained network."""

import base64
import os
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any

import pytest
import torch

from models.attacks.options import ATTACKS
from models.pictures import decode
from tests.app.live_service import Live, serve
from tests.models.attacks.fallible import FALLIBLE

ATTACKS_AND_NORMS = [(name, norm) for name, attack in ATTACKS.items() for norm in attack.norms]
PHOTOS = int(os.environ.get("TRUTH_PHOTOS", "3"))
"""Number of photos, evenly spaced among a hundred: TRUTH_PHOTOS=100 takes hours."""
QUICK = {"steps": int(os.environ.get("TRUTH_STEPS", "100")), "searches": 2}


@pytest.fixture(scope="module")
def live(imagenet_home: Path) -> Iterator[Live]:
    """A service of MobileNetV2, with SqueezeNet 1.1 for the transfer of attacks."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TORCH_HOME", str(imagenet_home))
        with serve(models="imagenet/mobilenet_v2,imagenet/squeezenet1_1", deadline_s=600) as running:
            yield running


def attack_photo(live: Live, photo: bytes, **fields: object) -> tuple[dict[str, Any], bytes]:
    data = {key: str(value) for key, value in {"format": "json", **fields}.items()}
    answer = live.client.post("/adversarial", files={"image": photo}, data=data, timeout=600)
    assert answer.status_code == 200, answer.text
    report: dict[str, Any] = answer.json()
    return report, base64.b64decode(report["image"].partition(",")[2])


def first_prediction(live: Live, picture: bytes, model: str) -> dict[str, Any]:
    answer = live.client.post("/classify", files={"image": picture}, params={"model": model, "top": 1})
    prediction: dict[str, Any] = answer.json()["predictions"][0]
    return prediction


@pytest.mark.slow
@pytest.mark.parametrize(("attack", "norm"), ATTACKS_AND_NORMS)
def test_the_report_of_every_attack_is_true(
    live: Live, imagenet_photos: list[tuple[int, bytes]], attack: str, norm: str
) -> None:
    """/classify confirms the classes for both networks, and the norms are recomputed from the files."""
    options = {option: value for option, value in QUICK.items() if option in ATTACKS[attack].defaults}
    fooled = 0
    for _, photo in imagenet_photos[:: len(imagenet_photos) // PHOTOS][:PHOTOS]:
        report, file = attack_photo(live, photo, attack=attack, norm=norm, **options)
        again = first_prediction(live, file, "imagenet/mobilenet_v2")
        assert again["label"] == report["adversarial"]["label"]
        assert report["success"] == (again["label"] != report["original"]["label"])
        fooled += report["success"]
        change = decode(file).double() - decode(photo).double()
        sizes = {"linf": change.abs().max(), "l2": change.norm(), "l1": change.abs().sum()}
        for name, size in sizes.items():
            assert report["norms"][name] == pytest.approx(size.item() / 255, rel=1e-6)
        assert report["norms"]["l0"] == torch.count_nonzero(change.abs().amax(dim=0))
        (transfer,) = report["transfer"]
        assert transfer["model"] == "imagenet/squeezenet1_1"
        assert transfer["adversarial"]["label"] == first_prediction(live, file, "imagenet/squeezenet1_1")["label"]
    print(f"{attack} in {norm}: all true; {fooled} of {PHOTOS} fool the network")
    assert fooled >= 0.95 * PHOTOS or attack in FALLIBLE or "epsilon" in ATTACKS[attack].defaults


@pytest.mark.slow
def test_the_attack_auto_reaches_random_targets_by_one_level(
    live: Live, imagenet_photos: list[tuple[int, bytes]]
) -> None:
    """All photos reach their targets, and in Linf a single level of 255 is enough for most of them."""
    sizes = []
    for number, (_, photo) in enumerate(imagenet_photos[: max(5, PHOTOS)]):
        report, file = attack_photo(live, photo, norm="linf", target=(number * 197 + 31) % 1000)
        assert (
            report["success"]
            and first_prediction(live, file, "imagenet/mobilenet_v2")["label"] == report["target"]["label"]
        )
        sizes.append(round(report["norms"]["linf"] * 255))
    print(f"auto in linf to a random class: {sizes.count(1)} of {len(sizes)} by one level")
    assert median(sizes) == 1

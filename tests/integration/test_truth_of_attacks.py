"""Over HTTP, on photos of any size and a trained network: all that an attack reports is true of the returned file."""

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

EACH = [(name, norm) for name, attack in ATTACKS.items() for norm in attack.norms]
PHOTOS = int(os.environ.get("TRUTH_PHOTOS", "3"))
"""Of a hundred, evenly spread: TRUTH_PHOTOS=100 takes hours."""
QUICK = {"steps": int(os.environ.get("TRUTH_STEPS", "100")), "searches": 2}
HARD = {"fgsm", "bim", "mi_fgsm", "square", "patch", "deepfool"}
"""What a step, small steps, a few questions or a linear guess cannot always do."""


@pytest.fixture(scope="module")
def live(imagenet_home: Path) -> Iterator[Live]:
    """MobileNetV2, and SqueezeNet 1.1 beside it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TORCH_HOME", str(imagenet_home))
        with serve(models="imagenet/mobilenet_v2,imagenet/squeezenet1_1", deadline_s=600) as running:
            yield running


def attacked(live: Live, photo: bytes, **fields: object) -> tuple[dict[str, Any], bytes]:
    data = {key: str(value) for key, value in {"format": "json", **fields}.items()}
    answer = live.client.post("/adversarial", files={"image": photo}, data=data, timeout=600)
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    return told, base64.b64decode(told["image"].partition(",")[2])


def verdict(live: Live, picture: bytes, model: str) -> dict[str, Any]:
    answer = live.client.post("/classify", files={"image": picture}, params={"model": model, "top": 1})
    told: dict[str, Any] = answer.json()["predictions"][0]
    return told


@pytest.mark.slow
@pytest.mark.parametrize(("attack", "norm"), EACH)
def test_of_every_attack(live: Live, imagenet_photos: list[tuple[int, bytes]], attack: str, norm: str) -> None:
    """PHOTOS each: /classify's verdict of the bytes, norms from the files, and SqueezeNet's own verdict."""
    options = {name: value for name, value in QUICK.items() if name in ATTACKS[attack].defaults}
    fooled = 0
    for _, photo in imagenet_photos[:: len(imagenet_photos) // PHOTOS][:PHOTOS]:
        told, file = attacked(live, photo, attack=attack, norm=norm, **options)
        again = verdict(live, file, "imagenet/mobilenet_v2")
        assert again["label"] == told["adversarial"]["label"]
        assert told["success"] == (again["label"] != told["original"]["label"])
        fooled += told["success"]
        change = decode(file).double() - decode(photo).double()
        sizes = {"linf": change.abs().max(), "l2": change.norm(), "l1": change.abs().sum()}
        for each, size in sizes.items():
            assert told["norms"][each] == pytest.approx(size.item() / 255, rel=1e-6)
        assert told["norms"]["l0"] == torch.count_nonzero(change.abs().amax(dim=0))
        (other,) = told["transfer"]
        assert other["model"] == "imagenet/squeezenet1_1"
        assert other["adversarial"]["label"] == verdict(live, file, "imagenet/squeezenet1_1")["label"]
    print(f"{attack} in {norm}: all true; {fooled} of {PHOTOS} fool the network")
    assert fooled >= 0.95 * PHOTOS or attack in HARD or "epsilon" in ATTACKS[attack].defaults


@pytest.mark.slow
def test_auto_reaches_any_target_by_one_level(live: Live, imagenet_photos: list[tuple[int, bytes]]) -> None:
    """Five photos or PHOTOS, each its class: in Linf a single level of 255 is enough for most, and all reach theirs."""
    sizes = []
    for number, (_, photo) in enumerate(imagenet_photos[: max(5, PHOTOS)]):
        told, file = attacked(live, photo, norm="linf", target=(number * 197 + 31) % 1000)
        assert told["success"] and verdict(live, file, "imagenet/mobilenet_v2")["label"] == told["target"]["label"]
        sizes.append(round(told["norms"]["linf"] * 255))
    print(f"auto in linf to a random class: {sizes.count(1)} of {len(sizes)} by one level")
    assert median(sizes) == 1

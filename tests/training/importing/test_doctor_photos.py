"""Tests whether mistakes are found on photos, with networks that were trained on ImageNet; needs ../shared."""

import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file

from benchmarks.check_rates import objects_of_imagenet, pets_of_imagenet
from models import architectures
from models.architectures.timm_networks import imagenet_names
from models.classifier import Classifier
from models.spec import Spec
from training.importing.doctor import Diagnosis, Photos, diagnose

pytestmark = pytest.mark.slow

RIGHT = Spec("mobilenet_v2", imagenet_names(), colours="RGB")
HALF = {"mean": (0.5, 0.5, 0.5), "std": (0.5, 0.5, 0.5)}
IMAGENET = "normalisation to ImageNet's mean and standard deviation"
RED_FIRST = "channels in the order RGB"
RESIZE = "resizing in proportion to 256 pixels, of which the centre is cropped"


@pytest.fixture(scope="module")
def objects(shared: Path) -> Photos:
    return objects_of_imagenet(shared)


@pytest.fixture(scope="module")
def pets(shared: Path) -> Photos:
    return pets_of_imagenet(shared)


@pytest.fixture(scope="module")
def examine(shared: Path) -> Callable[..., Diagnosis]:
    """Return examine(architecture, photos, **mistakes), the diagnosis of a network that is fed with mistakes."""

    def examine(architecture: str, photos: Photos, **mistakes: Any) -> Diagnosis:
        network = architectures.build(architecture, 1000)
        network.load_state_dict(load_file(shared / "weights" / f"{architecture}-imagenet1k.safetensors"))
        return diagnose(Classifier(network, replace(RIGHT, architecture=architecture, **mistakes)), photos)

    return examine


def names(diagnosis: Diagnosis) -> list[str]:
    return [trial.alternative.name for trial in diagnosis.better]


@pytest.mark.parametrize("architecture", ["mobilenet_v2", "squeezenet1_1"])
def test_nothing_is_found_where_nothing_is_wrong(
    examine: Callable[..., Diagnosis], objects: Photos, pets: Photos, architecture: str
) -> None:
    assert len(pets) == 190
    for photos in (objects, pets):
        diagnosis = examine(architecture, photos)
        assert diagnosis.is_healthy, names(diagnosis)
        assert diagnosis.asked.accuracy > 0.6


@pytest.mark.parametrize(
    ("architecture", "mistakes", "expected"),
    [
        ("mobilenet_v2", HALF, [IMAGENET]),
        ("squeezenet1_1", HALF, [IMAGENET]),
        ("mobilenet_v2", {"mean": (0.0, 0.0, 0.0), "std": (1 / 255,) * 3}, [IMAGENET]),
        ("mobilenet_v2", {"colours": "BGR"}, [RED_FIRST]),
        ("squeezenet1_1", {"colours": "BGR"}, [RED_FIRST]),
        ("mobilenet_v2", {"resize": 512}, [RESIZE]),
        ("mobilenet_v2", {"resize": 224, "resize_mode": "pad"}, [RESIZE]),
        ("mobilenet_v2", {"colours": "BGR", **HALF}, [RED_FIRST, IMAGENET]),
    ],
)
def test_a_planted_mistake_is_found(
    examine: Callable[..., Diagnosis],
    objects: Photos,
    architecture: str,
    mistakes: dict[str, Any],
    expected: list[str],
) -> None:
    diagnosis = examine(architecture, objects, **mistakes)
    assert names(diagnosis) == expected
    assert diagnosis.better[-1].scores.accuracy > diagnosis.asked.accuracy


def test_names_in_alphabetical_order_are_found(examine: Callable[..., Diagnosis], objects: Photos) -> None:
    """On one photo of each of a hundred classes, and with a wrong normalisation on top."""
    given = tuple(sorted(RIGHT.classes))
    photos = [(pixels, given.index(RIGHT.classes[label])) for pixels, label in objects]
    diagnosis = examine("mobilenet_v2", photos, classes=given, **HALF)
    assert diagnosis.reordering is not None and diagnosis.reordering.renamed(given) == RIGHT.classes
    assert names(diagnosis) == [IMAGENET]


def test_breeds_in_any_order_are_found(examine: Callable[..., Diagnosis], pets: Photos) -> None:
    """The names of the 19 breeds have changed places among themselves, with ten photos of each.

    One other class has a name of its own, so that nobody knows ImageNet's order of them.
    """
    breeds = sorted({label for _, label in pets})
    others = random.Random(0).sample(breeds, len(breeds))
    moved = dict(zip(breeds, others, strict=True))
    right = ("a fish", *RIGHT.classes[1:])
    given = tuple(right[breeds[others.index(index)]] if index in moved else name for index, name in enumerate(right))
    diagnosis = examine("mobilenet_v2", [(pixels, moved[label]) for pixels, label in pets], classes=given)
    (order,) = diagnosis.mistakes
    assert order == diagnosis.reordering and order.is_fitted
    assert order.renamed(given) == right

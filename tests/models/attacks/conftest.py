"""Fixtures for comparing attacks with those of other libraries (installed by `make oracles`) on the same pictures."""

import sys
import types
import warnings
from typing import Any

import pytest
import torch
from torch import Tensor

from models.attacks.geometry import to_lattice
from models.pictures import decode
from models.preprocessing import preprocess, to_float
from models.store import Model
from tests.models.attacks.small_pictures import draw_small_pictures


def _oracle(name: str) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # warnings of the other library are not ours to fix
        return pytest.importorskip(name, reason=f"{name} is not installed: make oracles")


@pytest.fixture(scope="session")
def adv_lib() -> Any:
    """Return adversarial-library, imported with a stand-in for the plotting server that it would need."""
    with pytest.MonkeyPatch.context() as patch:
        stand_in = types.ModuleType("visdom")
        stand_in.Visdom = object  # type: ignore[attr-defined]
        patch.setitem(sys.modules, "visdom", stand_in)
        library = _oracle("adv_lib.attacks")
    return library


@pytest.fixture(scope="session")
def foolbox() -> Any:
    return _oracle("foolbox")


@pytest.fixture(scope="session")
def small_pictures() -> Tensor:
    return draw_small_pictures()


@pytest.fixture(scope="session")
def crops(imagenet: Model, imagenet_photos: list[tuple[int, bytes]]) -> Tensor:
    """Return 64 photos preprocessed for MobileNetV2, [64, 3, 224, 224], to compare attacks at the input size."""
    photos = [to_float(decode(data)).unsqueeze(0) for _, data in imagenet_photos[:64]]
    return to_lattice(torch.cat([preprocess(photo, imagenet.spec) for photo in photos]))

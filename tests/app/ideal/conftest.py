"""Fixtures that start services for the tests of ideal pictures."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from models import checkpoint
from tests.app.live_service import TINY, Live, lively_network, serve


@pytest.fixture
def fresh(checkpoints: Path, tmp_path: Path) -> Iterator[Live]:
    """Return a separate service whose cache is empty."""
    with serve(checkpoints=checkpoints, cache=tmp_path / "cache") as running:
        yield running


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """Return a service of two models that have the class cat, and one with other classes."""
    folder = tmp_path_factory.mktemp("three")
    network = lively_network()
    checkpoint.save(folder / "tiny.safetensors", network, TINY, {})
    for name, classes in {"other": ("sea lion", "DOG", "cow", "CAT"), "strange": ("a", "b", "c", "d")}.items():
        spec = type(TINY)(TINY.architecture, classes, input_size=64, resize=72)
        checkpoint.save(folder / f"{name}.safetensors", network, spec, {})
    with serve(checkpoints=folder, models="tiny,strange,other") as running:
        yield running

"""A tiny model of transformers in a folder, for the tests of what is read from such folders."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.foreign_networks import save, transformers_network
from tests.training.importing.sources.folders import SIDE, tiny_config, tiny_processor


@pytest.fixture
def silent() -> Iterator[None]:
    """Without the progress bars of transformers."""
    transformers = pytest.importorskip("transformers")
    transformers.utils.logging.disable_progress_bar()
    yield
    transformers.utils.logging.enable_progress_bar()


@pytest.fixture
def folder(tmp_path: Path, silent: None) -> Path:
    """Return the folder of a vision transformer of five classes for pictures of 32 pixels."""
    return save(tmp_path / "model", transformers_network(tiny_config(), SIDE), tiny_processor())

"""A data set, pretrained weights and a finished run that several test files use."""

from pathlib import Path

import pytest

from tests.training.drawn import write_gratings, write_pretrained
from tests.training.runs import fit_options, quiet
from training.fit import fit
from training.options import FitOptions


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twenty gratings in each of two classes, and one file that is no picture."""
    folder = write_gratings(tmp_path_factory.mktemp("data") / "gratings", {"Reddish": 20, "Bluish": 20})
    (folder / "Bluish" / "Thumbs.db").write_bytes(b"no picture")
    return folder


@pytest.fixture(scope="session")
def pretrained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_pretrained(tmp_path_factory.mktemp("weights") / "weights.pth")


@pytest.fixture
def without_report(monkeypatch: pytest.MonkeyPatch) -> None:
    """No report is written: it has tests of its own, and its plots take longer than a small run."""
    monkeypatch.setattr("training.afterwards.write_report", lambda *_: None)


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory, data: Path, pretrained: Path) -> FitOptions:
    """The options of a run that has finished without an interruption."""
    options = fit_options(tmp_path_factory.mktemp("finished"), data, pretrained, robustness_photos=4)
    fit(options, quiet())
    return options

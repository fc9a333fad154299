import sys
from pathlib import Path

import pytest

from training.loggers import MissingLogger, loggers
from training.options import FitOptions


def test_tensorboard_gets_each_epochs_figures(tmp_path: Path) -> None:
    """Read back by TensorBoard's own reader."""
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    options = FitOptions(data=tmp_path, output=tmp_path / "x.safetensors", runs=tmp_path / "runs", tensorboard=True)
    (log,) = loggers(options)
    for epoch, loss in ((1, 0.5), (2, 0.25)):
        log({"epoch": epoch, "loss": loss, "raw_accuracy": 0.9})
    found = EventAccumulator(str(options.folder.path)).Reload()
    assert [(event.step, event.value) for event in found.Scalars("loss")] == [(1, 0.5), (2, 0.25)]
    assert "raw_accuracy" in found.Tags()["scalars"]


def test_none_unless_asked(tmp_path: Path) -> None:
    assert loggers(FitOptions(data=tmp_path, output=tmp_path / "x.safetensors", runs=tmp_path / "runs")) == []


def test_without_its_package_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(MissingLogger, match=r"pip install 'mirage-vision\[tensorboard\]'"):
        loggers(FitOptions(data=tmp_path, output=tmp_path / "x.safetensors", tensorboard=True))

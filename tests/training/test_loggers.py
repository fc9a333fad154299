import sys
from pathlib import Path

import pytest

from training.loggers import MissingLogger, loggers
from training.options import FitOptions


def test_tensorboard_gets_each_epochs_figures(tmp_path: Path) -> None:
    """The figures are read by TensorBoard's own reader."""
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    options = FitOptions(data=tmp_path, output=tmp_path / "x.safetensors", runs=tmp_path / "runs", tensorboard=True)
    (log,) = loggers(options)
    for epoch, loss in ((1, 0.5), (2, 0.25)):
        log({"epoch": epoch, "loss": loss, "raw_accuracy": 0.9})
    events = EventAccumulator(str(options.folder.path)).Reload()
    assert [(event.step, event.value) for event in events.Scalars("loss")] == [(1, 0.5), (2, 0.25)]
    assert "raw_accuracy" in events.Tags()["scalars"]


def test_there_is_no_logger_by_default(tmp_path: Path) -> None:
    assert loggers(FitOptions(data=tmp_path, output=tmp_path / "x.safetensors", runs=tmp_path / "runs")) == []


def test_without_tensorboard_the_error_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(MissingLogger, match=r"pip install tensorboard"):
        loggers(FitOptions(data=tmp_path, output=tmp_path / "x.safetensors", tensorboard=True))

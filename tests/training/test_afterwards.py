"""Tests that the checkpoint is complete before the optional part of a run begins, and how that is left and resumed."""

import io
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from rich.console import Console

from models import checkpoint
from tests.training.runs import fit_options, quiet, weights
from training import afterwards, finish
from training.fit import fit
from training.options import FitOptions
from training.run import Run

CURVE = {
    "attack": "apgd",
    "norm": "linf",
    "options": {"steps": 20},
    "photos": 3,
    "curve": [{"epsilon": 0.0, "accuracy": 1.0, "balanced_accuracy": 1.0, "interval": [0.4, 1.0]}],
}


@pytest.fixture
def options(tmp_path: Path, data: Path, pretrained: Path) -> FitOptions:
    """A run of the probe alone, whose accuracy under attack is measured."""
    return fit_options(tmp_path, data, pretrained, phase="probe", robustness_photos=4)


def printed(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def interrupted(*_: object, **__: object) -> dict[str, Any]:
    raise KeyboardInterrupt


def no_training(*_: object, **__: object) -> None:
    raise AssertionError("nothing may be trained or chosen again")


def test_checkpoint_card_and_report_are_complete_before_the_attack_begins(
    options: FitOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the first photo is attacked, all files are there, and the terminal says how to serve the checkpoint."""
    console, seen = quiet(), {}

    def measure(classifier: object, photos: object, *, seconds: float, **_: object) -> dict[str, Any]:
        seen["metrics"] = checkpoint.load(options.output)[1].provenance["metrics"]
        seen["card"] = options.output.with_suffix(".md").read_text()
        seen["report"] = (options.folder.path / "report.html").read_text()
        seen["printed"], seen["seconds"] = printed(console), seconds
        return CURVE

    monkeypatch.setattr(afterwards, "robustness", measure)
    fit(options, console)
    assert seen["metrics"]["robustness"] is None and seen["metrics"]["accuracy"] == 1
    assert "100.00 % of 6 test photos" in seen["card"] and "under the attack" not in seen["card"]
    assert "robustness.png" not in seen["report"] and seen["seconds"] == 20
    serve = f"MIRAGE_CHECKPOINTS={options.output.parent} MIRAGE_MODELS=stripes python -m app"
    assert "stripes.safetensors is ready: 100.00% of 6 test photos right" in seen["printed"]
    assert serve in seen["printed"]
    assert checkpoint.read(options.output).provenance["metrics"] == {**seen["metrics"], "robustness": CURVE}
    assert "Accuracy under the attack `apgd`" in options.output.with_suffix(".md").read_text()
    assert (options.folder.path / "robustness.png").is_file()


def test_a_run_that_was_left_under_attack_continues_there_and_nowhere_else(
    options: FitOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C ends it without an error. --resume neither fits a probe nor looks at the test split a second time."""
    console = quiet()
    with monkeypatch.context() as patch:
        patch.setattr(afterwards, "robustness", interrupted)
        first = fit(options, console)
    assert first is not None and "is complete, without accuracy under attack" in printed(console)
    before = checkpoint.read(options.output)
    monkeypatch.setattr(Run, "fit_probe", no_training)
    monkeypatch.setattr(finish, "best_temperature", no_training)
    resumed = replace(options, resume=True)
    assert fit(resumed, quiet()) == first
    after = checkpoint.read(options.output)
    curve = after.provenance["metrics"]["robustness"]
    assert curve["photos"] == 4 and curve["curve"][0]["accuracy"] == 1
    expected = {**before.provenance, "metrics": {**before.provenance["metrics"], "robustness": curve}}
    assert after.provenance == expected and after.provenance["metrics"]["earlier_looks"] == 0
    assert all(torch.equal(tensor, after.weights[name]) for name, tensor in before.weights.items())
    monkeypatch.setattr(afterwards, "robustness", no_training)
    assert fit(resumed, quiet()) == first  # nothing is left to do


def test_a_run_killed_before_the_card_was_written_anew_writes_it_when_it_is_resumed(
    options: FitOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The curve is in the header of the checkpoint, and not yet in the card and the report."""

    def killed(*_: object) -> None:
        raise MemoryError

    with monkeypatch.context() as patch:
        patch.setattr(afterwards, "robustness", lambda *_, **__: CURVE)
        patch.setattr(afterwards, "publish", killed)
        with pytest.raises(MemoryError):
            fit(options, quiet())
    assert "Accuracy under the attack" not in options.output.with_suffix(".md").read_text()
    monkeypatch.setattr(afterwards, "robustness", no_training)
    fit(replace(options, resume=True), quiet())
    assert "Accuracy under the attack" in options.output.with_suffix(".md").read_text()
    assert (options.folder.path / "robustness.png").is_file()


def test_a_checkpoint_of_other_weights_is_measured_anew(options: FitOptions, monkeypatch: pytest.MonkeyPatch) -> None:
    """The run goes on from the probe: the checkpoint of the probe is not taken for that of the longer run."""
    monkeypatch.setattr(afterwards, "robustness", interrupted)
    fit(options, quiet())
    probe = weights(options.output)
    fit(replace(options, resume=True, phase="all"), quiet())
    provenance = checkpoint.read(options.output).provenance
    assert provenance["metrics"]["earlier_looks"] == 1 and len(provenance["history"]) == 3
    assert weights(options.output).keys() == probe.keys()


@pytest.mark.parametrize(
    ("asked", "ago", "expected"),
    [(None, 50.0, 20.0), (None, 600.0, 60.0), (5.0, 600.0, 5.0), (math.inf, 0.0, math.inf)],
)
def test_the_time_is_a_tenth_of_the_run_or_20_s_unless_it_is_asked_for(
    options: FitOptions, monkeypatch: pytest.MonkeyPatch, asked: float | None, ago: float, expected: float
) -> None:
    begun = 1000.0
    monkeypatch.setattr("training.prepare.time.monotonic", lambda: begun)
    assert afterwards.seconds_for(replace(options, robustness_seconds=asked), begun - ago) == expected

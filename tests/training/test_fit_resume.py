import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from models import checkpoint
from tests.training.drawn import write_gratings
from tests.training.runs import (
    RECIPE,
    assert_same_weights,
    fit_options,
    fit_to_end,
    quiet,
    stop_after,
    weights,
)
from training.data.sources.source import BadData
from training.fit import fit
from training.learner import Diverged, Learner
from training.options import FitOptions
from training.prepare import prepare
from training.run_state import BadRun
from training.validate import SplitBatches

pytestmark = pytest.mark.usefixtures("without_report")


def test_a_run_of_only_the_probe_can_be_continued(
    finished: FitOptions, tmp_path: Path, data: Path, pretrained: Path
) -> None:
    """`--phase probe` writes a checkpoint of the head; the continued run ends like one that was never stopped there."""
    first = fit_options(tmp_path, data, pretrained, phase="probe")
    assert fit_to_end(first).accuracy == 1
    provenance = checkpoint.read(first.output).provenance
    assert provenance["kept"] == {"weights": "probe", "epoch": 0} and provenance["history"] == []
    assert "no other weights were trained" in first.output.with_suffix(".md").read_text()
    backbone = torch.load(pretrained)["conv1.0.weight"]
    assert torch.equal(weights(first.output)["conv1.0.weight"], backbone.half())
    assert "had not used these photos for anything else" in first.output.with_suffix(".md").read_text()
    assert " --phase probe" in provenance["command"]
    fit(fit_options(tmp_path, data, pretrained, resume=True), quiet())
    assert_same_weights(first.output, finished.output)
    assert checkpoint.read(first.output).provenance["metrics"]["earlier_looks"] == 1
    sentence = "Earlier states of this run had been measured on these photos once."
    assert sentence in first.output.with_suffix(".md").read_text()


@pytest.mark.parametrize("steps", [0, *(pytest.param(steps, marks=pytest.mark.slow) for steps in (2, 3, 8)), 7])
def test_a_resumed_run_ends_like_an_undisturbed_one(
    finished: FitOptions, tmp_path: Path, data: Path, pretrained: Path, monkeypatch: pytest.MonkeyPatch, steps: int
) -> None:
    """Of three epochs of three steps, it stops after the probe, within and between epochs; weights are identical."""
    first = fit_options(tmp_path, data, pretrained, save_every_s=0.0)
    stop_after(steps, monkeypatch, first)
    assert not first.output.exists()
    torch.manual_seed(99)
    console = quiet()
    resumed = fit_options(tmp_path, data, pretrained, resume=True)
    fit(resumed, console)
    assert_same_weights(resumed.output, finished.output)
    assert checkpoint.read(resumed.output).spec == checkpoint.read(finished.output).spec
    assert isinstance(console.file, io.StringIO)
    assert steps == 0 or f"continuing after step {steps} of 9" in console.file.getvalue()
    for row, other in zip(*(checkpoint.read(j.output).provenance["history"] for j in (resumed, finished)), strict=True):
        assert {**row, "seconds": 0} == {**other, "seconds": 0}


def test_a_run_can_be_finished_early(
    tmp_path: Path, data: Path, pretrained: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After training has diverged, the best weights so far become the checkpoint."""
    stop_after(5, monkeypatch, fit_options(tmp_path, data, pretrained), Diverged)
    early = fit_options(tmp_path, data, pretrained, resume=True, finish=True)
    assert fit_to_end(early).photos == 6
    assert len(checkpoint.read(early.output).provenance["history"]) == 1


@pytest.mark.parametrize("error", [Diverged, BadData])
def test_an_error_within_an_epoch_saves_the_last_step(
    finished: FitOptions,
    tmp_path: Path,
    data: Path,
    pretrained: Path,
    monkeypatch: pytest.MonkeyPatch,
    error: type[Exception],
) -> None:
    """The state after the last step is saved, although the next save was not due yet."""
    stop_after(5, monkeypatch, fit_options(tmp_path, data, pretrained, save_every_s=1e9), error)
    resumed, console = fit_options(tmp_path, data, pretrained, resume=True), quiet()
    fit(resumed, console)
    assert isinstance(console.file, io.StringIO) and "continuing after step 5 of 9" in console.file.getvalue()
    assert_same_weights(resumed.output, finished.output)


def test_a_run_that_fails_in_validation_first_completes_that_epoch(
    finished: FitOptions, tmp_path: Path, data: Path, pretrained: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A photo cannot be read in the validation of the second epoch: no epoch is missing in the resumed run."""
    validate = SplitBatches.validate

    def fail_once(batches: SplitBatches, learner: Learner) -> Any:
        if learner.step == 6:
            raise BadData("a photo")
        return validate(batches, learner)

    with monkeypatch.context() as patch, pytest.raises(BadData):
        patch.setattr(SplitBatches, "validate", fail_once)
        fit(fit_options(tmp_path, data, pretrained), quiet())
    resumed = fit_options(tmp_path, data, pretrained, resume=True)
    fit(resumed, quiet())
    assert_same_weights(resumed.output, finished.output)
    for row, other in zip(*(checkpoint.read(j.output).provenance["history"] for j in (resumed, finished)), strict=True):
        assert {**row, "seconds": 0} == {**other, "seconds": 0}


def test_resuming_without_a_run_starts_one_and_says_so(tmp_path: Path, data: Path, pretrained: Path) -> None:
    console = quiet()
    fit(fit_options(tmp_path, data, pretrained, phase="probe", resume=True), console)
    assert isinstance(console.file, io.StringIO) and "no run to continue" in console.file.getvalue()


def test_finishing_without_a_run_is_refused(tmp_path: Path, data: Path, pretrained: Path) -> None:
    with pytest.raises(BadRun, match="there is no run to finish"):
        fit(fit_options(tmp_path, data, pretrained, resume=True, finish=True), quiet())


def test_a_run_can_be_finished_although_files_are_missing(
    tmp_path: Path, pretrained: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two test photos are missing; no training photo takes their place."""
    folder = write_gratings(tmp_path / "gratings", {"x": 20, "y": 20})
    options = fit_options(tmp_path, folder, pretrained)
    stop_after(7, monkeypatch, options)
    test = prepare(options, quiet()).split.test
    for photo in test[:2]:
        (folder / photo.name).unlink()
    with pytest.raises(BadRun, match=r"had data .*split"):
        fit(replace(options, resume=True), quiet())
    console = quiet()
    metrics = fit(replace(options, resume=True, finish=True), console)
    assert metrics is not None and metrics.photos == len(test) - 2
    assert isinstance(console.file, io.StringIO)
    assert "2 of the photos that the run began with" in console.file.getvalue()
    assert checkpoint.read(options.output).provenance["data"]["lost"] == 2
    assert "2 more photos were missing when the run was finished" in options.output.with_suffix(".md").read_text()


def test_resuming_another_run_is_refused(
    tmp_path: Path, data: Path, pretrained: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stop_after(0, monkeypatch, fit_options(tmp_path, data, pretrained))
    with pytest.raises(BadRun, match="give --resume"):
        fit(fit_options(tmp_path, data, pretrained), quiet())
    other = replace(RECIPE, epochs=4, batch_size=4, class_weights="balanced")
    with pytest.raises(
        BadRun, match="had batch_size 8, not 4; class_weights none, not balanced: give the same options"
    ):
        fit(fit_options(tmp_path, data, pretrained, recipe=other, resume=True), quiet())
    more = write_gratings(tmp_path / "more", {"Reddish": 21, "Bluish": 20})
    with pytest.raises(BadRun, match=r"had data .*split"):
        fit(fit_options(tmp_path, more, pretrained, resume=True), quiet())


def test_the_state_of_a_finished_run_is_of_its_last_step_not_of_the_best(finished: FitOptions, data: Path) -> None:
    ready = prepare(fit_options(finished.output.parent, data, finished.weights or Path()), quiet())
    state = finished.folder.load_state(ready.identity)
    assert state is not None and state.learner is not None and state.best.name == "probe" and state.looks == 1
    assert not torch.equal(state.learner["network"]["conv1.0.weight"], state.best.weights["conv1.0.weight"])


def test_a_run_that_an_earlier_version_began_ends_like_an_undisturbed_one(
    finished: FitOptions, tmp_path: Path, data: Path, pretrained: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The state and the split have the names of versions up to 0.1.0; the weights are bit-identical."""
    options = fit_options(tmp_path, data, pretrained, resume=True, save_every_s=0.0)
    stop_after(4, monkeypatch, options)
    state = torch.load(options.folder.state_file, weights_only=True)
    identity = state["identity"]
    identity["parent"] = identity.pop("weights")
    identity["recipe"]["trunk_rate"] = identity["recipe"].pop("backbone_rate")
    torch.save(state, options.folder.state_file)
    table = options.folder.split_file.read_text()
    assert table.startswith("split,")
    options.folder.split_file.write_text(table.replace("split,", "side,", 1))
    fit(options, quiet())
    assert_same_weights(options.output, finished.output)

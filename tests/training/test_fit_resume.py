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
    fitted,
    quiet,
    stopped_after,
    weights,
)
from training.data.sources.source import BadData
from training.fit import fit
from training.learner import Diverged, Learner
from training.options import FitOptions
from training.prepare import prepare
from training.run_state import BadRun
from training.validate import SplitBatches


def test_the_probe_alone_and_then_the_rest(finished: FitOptions, tmp_path: Path, data: Path, pretrained: Path) -> None:
    """`--phase probe` writes a checkpoint of the head; gone on with it ends as a run that was never stopped there."""
    first = fit_options(tmp_path, data, pretrained, phase="probe")
    assert fitted(first).accuracy == 1
    found = checkpoint.read(first.output).provenance
    assert found["kept"] == {"weights": "probe", "epoch": 0} and found["history"] == []
    assert "no other weights were trained" in first.output.with_suffix(".md").read_text()
    backbone = torch.load(pretrained)["features.0.0.weight"]
    assert torch.equal(weights(first.output)["features.0.0.weight"], backbone.half())
    assert "had not used these photos for anything else" in first.output.with_suffix(".md").read_text()
    assert " --phase probe" in found["command"]
    fit(fit_options(tmp_path, data, pretrained, resume=True), quiet())
    assert_same_weights(first.output, finished.output)
    assert checkpoint.read(first.output).provenance["metrics"]["earlier_looks"] == 1
    told = "Earlier states of this run had been measured on these photos once."
    assert told in first.output.with_suffix(".md").read_text()


@pytest.mark.parametrize("steps", [0, 2, 3, 7, 8])
def test_a_resumed_run_ends_as_an_undisturbed_one(
    finished: FitOptions, tmp_path: Path, data: Path, pretrained: Path, monkeypatch: pytest.MonkeyPatch, steps: int
) -> None:
    """Bit for bit, of three epochs of three steps: stopped after the probe, within epochs, between them."""
    first = fit_options(tmp_path, data, pretrained, save_every_s=0.0)
    stopped_after(steps, monkeypatch, first)
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


def test_a_run_may_be_finished_before_its_time(
    tmp_path: Path, data: Path, pretrained: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a loss that was no number, say: the best so far becomes the checkpoint."""
    stopped_after(5, monkeypatch, fit_options(tmp_path, data, pretrained), Diverged)
    early = fit_options(tmp_path, data, pretrained, resume=True, finish=True)
    assert fitted(early).photos == 6
    assert len(checkpoint.read(early.output).provenance["history"]) == 1


@pytest.mark.parametrize("error", [Diverged, BadData])
def test_what_ends_a_run_midway_leaves_the_last_step(
    finished: FitOptions,
    tmp_path: Path,
    data: Path,
    pretrained: Path,
    monkeypatch: pytest.MonkeyPatch,
    error: type[Exception],
) -> None:
    """The state of the very step before is saved, although the next save was not due."""
    stopped_after(5, monkeypatch, fit_options(tmp_path, data, pretrained, save_every_s=1e9), error)
    resumed, console = fit_options(tmp_path, data, pretrained, resume=True), quiet()
    fit(resumed, console)
    assert isinstance(console.file, io.StringIO) and "continuing after step 5 of 9" in console.file.getvalue()
    assert_same_weights(resumed.output, finished.output)


def test_a_run_that_ends_in_validation_closes_that_epoch_first(
    finished: FitOptions, tmp_path: Path, data: Path, pretrained: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A photo of validation that cannot be read after the second epoch's last step: no epoch is left out."""
    whole = SplitBatches.validate

    def breaking(sides: SplitBatches, learner: Learner) -> Any:
        if learner.step == 6:
            raise BadData("a photo")
        return whole(sides, learner)

    with monkeypatch.context() as patch, pytest.raises(BadData):
        patch.setattr(SplitBatches, "validate", breaking)
        fit(fit_options(tmp_path, data, pretrained), quiet())
    resumed = fit_options(tmp_path, data, pretrained, resume=True)
    fit(resumed, quiet())
    assert_same_weights(resumed.output, finished.output)
    for row, other in zip(*(checkpoint.read(j.output).provenance["history"] for j in (resumed, finished)), strict=True):
        assert {**row, "seconds": 0} == {**other, "seconds": 0}


def test_going_on_without_a_run_starts_one_and_says_so(tmp_path: Path, data: Path, pretrained: Path) -> None:
    console = quiet()
    fit(fit_options(tmp_path, data, pretrained, phase="probe", resume=True), console)
    assert isinstance(console.file, io.StringIO) and "no run to continue" in console.file.getvalue()


def test_there_must_be_a_run_to_finish(tmp_path: Path, data: Path, pretrained: Path) -> None:
    with pytest.raises(BadRun, match="there is no run to finish"):
        fit(fit_options(tmp_path, data, pretrained, resume=True, finish=True), quiet())


def test_a_run_is_finished_without_the_files_that_are_lost(
    tmp_path: Path, pretrained: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two of the test photos; nothing that has trained judges in their place."""
    folder = write_gratings(tmp_path / "gratings", {"x": 20, "y": 20})
    asked = fit_options(tmp_path, folder, pretrained)
    stopped_after(7, monkeypatch, asked)
    test = prepare(asked, quiet()).split.test
    for photo in test[:2]:
        (folder / photo.name).unlink()
    with pytest.raises(BadRun, match=r"had data .*split"):
        fit(replace(asked, resume=True), quiet())
    console = quiet()
    metrics = fit(replace(asked, resume=True, finish=True), console)
    assert metrics is not None and metrics.photos == len(test) - 2
    assert isinstance(console.file, io.StringIO)
    assert "2 of the photos that the run began with" in console.file.getvalue()
    assert checkpoint.read(asked.output).provenance["data"]["lost"] == 2
    assert "2 more photos were missing when the run was finished" in asked.output.with_suffix(".md").read_text()


def test_resuming_another_run_is_refused(
    tmp_path: Path, data: Path, pretrained: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stopped_after(0, monkeypatch, fit_options(tmp_path, data, pretrained))
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


def test_the_state_that_is_left_is_of_the_last_step_not_of_what_was_kept(finished: FitOptions, data: Path) -> None:
    ready = prepare(fit_options(finished.output.parent, data, finished.weights or Path()), quiet())
    state = finished.folder.load_state(ready.identity)
    assert state is not None and state.learner is not None and state.best.name == "probe" and state.looks == 1
    assert not torch.equal(state.learner["network"]["features.0.0.weight"], state.best.weights["features.0.0.weight"])


def test_a_run_that_an_earlier_version_began_ends_as_an_undisturbed_one(
    finished: FitOptions, tmp_path: Path, data: Path, pretrained: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bit for bit, from a state and a split that are named as versions up to 0.1.0 did."""
    options = fit_options(tmp_path, data, pretrained, resume=True, save_every_s=0.0)
    stopped_after(4, monkeypatch, options)
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

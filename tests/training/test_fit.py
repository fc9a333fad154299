import io
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from rich.console import Console

from models import checkpoint, pictures
from models.classify import classify
from models.ideal import imagine
from models.run import run
from models.store import load
from tests.training.drawn import ARCHITECTURE, encoded, grating, write_gratings, write_pretrained, zipped
from training.cache import Cache
from training.data.loading.batches import serving_batches
from training.data.sources.source import BadData, Source
from training.fit import fit
from training.learner import Diverged, Learner
from training.metrics import Metrics, gather, measure
from training.options import FitOptions
from training.prepare import prepare
from training.pretrained import BadPretrainedWeights
from training.recipe import BadRecipe, Recipe
from training.run_state import BadRun
from training.validate import SplitBatches

REPOSITORY = Path(__file__).parents[2]
RECIPE = Recipe(epochs=3, full_size_epochs=1, batch_size=8, input_size=48, precision="float32")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twenty gratings in each of two classes, and one file that is no picture."""
    folder = write_gratings(tmp_path_factory.mktemp("data") / "gratings", {"Reddish": 20, "Bluish": 20})
    (folder / "Bluish" / "Thumbs.db").write_bytes(b"no picture")
    return folder


@pytest.fixture(scope="module")
def pretrained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_pretrained(tmp_path_factory.mktemp("weights") / "weights.pth")


def job(place: Path, data: Path, pretrained: Path, **fields: Any) -> FitOptions:
    usual: dict[str, Any] = {
        "recipe": RECIPE,
        "architecture": ARCHITECTURE,
        "weights": pretrained,
        "runs": place / "runs",
    }
    usual |= {"cache": Cache(place / "cache"), "robustness_photos": 0}
    return FitOptions(data=data, output=place / "stripes.safetensors", **{**usual, **fields})


def quiet() -> Console:
    return Console(file=io.StringIO(), width=200)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, data: Path, pretrained: Path) -> FitOptions:
    """An undisturbed run."""
    done = job(tmp_path_factory.mktemp("finished"), data, pretrained, robustness_photos=4)
    fit(done, quiet())
    return done


def fitted(asked: FitOptions) -> Metrics:
    """The figures of a run that goes through."""
    metrics = fit(asked, quiet())
    assert metrics is not None
    return metrics


def weights(file: Path) -> dict[str, torch.Tensor]:
    return dict(checkpoint.read(file).weights)


def assert_same_weights(one: Path, other: Path) -> None:
    first, second = weights(one), weights(other)
    assert first.keys() == second.keys()
    assert [key for key in first if not torch.equal(first[key], second[key])] == []


def test_the_service_can_load_it_and_it_is_right(finished: FitOptions) -> None:
    """A grating that was never seen, by the way that an upload takes."""
    model = load("stripes", folder=finished.output.parent)
    assert model.spec.classes == ("Bluish", "Reddish")
    for label, name in enumerate(("Reddish", "Bluish")):
        picture = pictures.decode(encoded(grating(label, 1000)))
        assert run(classify(picture, model.spec), model.classifier)[0].label == name


def test_metrics_are_those_of_the_file_as_written(finished: FitOptions) -> None:
    """Measured again on the test photos, with the checkpoint loaded anew: every figure is the same."""
    classifier, found = checkpoint.load(finished.output)
    ready = prepare(job(finished.output.parent / "again", finished.data, finished.weights or Path()), quiet())
    batches = serving_batches(ready.data.labelled(ready.split.test), classifier.spec, batch_size=8, workers=0)
    metrics = measure(*gather(classifier.logits, batches, torch.device("cpu")), classifier.spec.classes)
    told = {key: found.provenance["metrics"][key] for key in metrics.to_json()}
    assert told == json.loads(json.dumps(metrics.to_json()))
    assert metrics.photos == 6 and metrics.accuracy == 1


def test_provenance_tells_the_story_and_no_path(finished: FitOptions) -> None:
    found = checkpoint.read(finished.output).provenance
    assert found["data"]["name"] == "gratings"
    assert found["data"]["photos"] == {"train": [14, 14], "validation": [3, 3], "test": [3, 3]}
    assert found["data"]["found"] == {"not a picture": 1}
    assert found["recipe"]["epochs"] == 3 and found["recipe"]["precision"] == "float32"
    assert found["parent"]["name"] == "weights" and found["parent"]["licence"] == "unknown"
    assert found["command"] == (
        "python -m training fit gratings --output stripes.safetensors --architecture mobilenet_v3_small "
        "--weights weights.pth --input-size 48 --epochs 3 --batch-size 8 --full-size-epochs 1 --precision float32"
    )
    assert {"python", "torch", "torchvision", "numpy", "pillow", "mirage"} == set(found["versions"])
    told = json.dumps(found) + finished.output.with_suffix(".md").read_text()
    assert str(finished.output.parent) not in told and str(Path.home()) not in told and "/tmp" not in told


def test_the_run_folder_has_the_card_too_and_nothing_left_over(finished: FitOptions) -> None:
    there = {file.name for file in finished.folder.path.iterdir()}
    plots = {"curves.png", "confusion.png", "reliability.png", "robustness.png"}
    tables = {"history.csv", "findings.csv", "split.csv", "metrics.json"}
    assert there == {"card.md", "report.html", "state.pt", "lock", *plots, *tables}
    assert (finished.folder.path / "card.md").read_bytes() == finished.output.with_suffix(".md").read_bytes()


def test_what_is_refused_costs_no_earlier_run(finished: FitOptions) -> None:
    """To start anew with more frozen blocks than there are, or to finish anew: the state that was there stays."""
    before = finished.folder.state_file.read_bytes()
    wrong = replace(finished, overwrite=True, recipe=replace(RECIPE, frozen_blocks=999))
    with pytest.raises(BadRecipe):
        fit(wrong, quiet())
    with pytest.raises(BadRun, match="give --resume with it"):
        fit(replace(finished, overwrite=True, finish=True), quiet())
    assert finished.folder.state_file.read_bytes() == before


def test_a_run_folder_among_the_photos_is_refused(tmp_path: Path, pretrained: Path) -> None:
    photos = write_gratings(tmp_path / "photos", {"x": 4, "y": 4})
    with pytest.raises(BadRun, match="would lie among the photos: give --runs another folder"):
        fit(job(tmp_path, photos, pretrained, runs=photos / "runs"), quiet())
    assert sorted(file.name for file in photos.iterdir()) == ["x", "y"]


def test_the_kept_weights_are_the_best_on_validation(finished: FitOptions) -> None:
    found = checkpoint.read(finished.output).provenance
    candidates = {
        (name, row["epoch"]): (row[f"{name}_accuracy"], -row[f"{name}_nll"])
        for row in found["history"]
        for name in ("raw", "ema")
    }
    best = max(candidates, key=lambda candidate: candidates[candidate])
    kept = (found["kept"]["weights"], found["kept"]["epoch"])
    assert kept == best or (kept == ("probe", 0) and candidates[best][0] <= found["metrics"]["validation"]["accuracy"])


def test_a_probe_that_nothing_beats_is_kept(tmp_path: Path, data: Path, pretrained: Path) -> None:
    """Training at rates that ruin the head loses to the probe."""
    ruinous = replace(RECIPE, head_rate=50.0, backbone_rate=1e-9, clip=0.0)
    done = job(tmp_path, data, pretrained, recipe=ruinous)
    assert fitted(done).accuracy == 1
    assert checkpoint.read(done.output).provenance["kept"] == {"weights": "probe", "epoch": 0}


def test_the_probe_alone_and_then_the_rest(finished: FitOptions, tmp_path: Path, data: Path, pretrained: Path) -> None:
    """`--phase probe` writes a checkpoint of the head; gone on with it ends as a run that was never stopped there."""
    first = job(tmp_path, data, pretrained, phase="probe")
    assert fitted(first).accuracy == 1
    found = checkpoint.read(first.output).provenance
    assert found["kept"] == {"weights": "probe", "epoch": 0} and found["history"] == []
    assert "no other weight was changed" in first.output.with_suffix(".md").read_text()
    backbone = torch.load(pretrained)["features.0.0.weight"]
    assert torch.equal(weights(first.output)["features.0.0.weight"], backbone.half())
    assert "used for nothing before" in first.output.with_suffix(".md").read_text()
    assert " --phase probe" in found["command"]
    fit(job(tmp_path, data, pretrained, resume=True), quiet())
    assert_same_weights(first.output, finished.output)
    assert checkpoint.read(first.output).provenance["metrics"]["earlier_looks"] == 1
    told = "on photos that earlier states of this run had been measured on (1 of them)"
    assert told in first.output.with_suffix(".md").read_text()


def test_no_epochs_keep_the_probe(tmp_path: Path, data: Path, pretrained: Path) -> None:
    assert fitted(job(tmp_path, data, pretrained, recipe=Recipe(epochs=0, input_size=48))).accuracy == 1


def test_a_run_that_does_not_improve_stops_early(tmp_path: Path, data: Path, pretrained: Path) -> None:
    """Rates that ruin the head never beat the probe: after two epochs without anything better patience is out."""
    recipe = replace(RECIPE, epochs=6, patience=2, head_rate=50.0, backbone_rate=1e-9, clip=0.0)
    done = job(tmp_path, data, pretrained, recipe=recipe)
    fit(done, quiet())
    found = checkpoint.read(done.output).provenance
    assert found["kept"]["epoch"] == 0 and len(found["history"]) == 2
    again = job(tmp_path, data, pretrained, recipe=recipe, resume=True)
    fit(again, quiet())
    assert checkpoint.read(again.output).provenance["history"] == found["history"]


def test_a_zip_gives_the_same_weights_as_its_folder(
    finished: FitOptions, tmp_path: Path, data: Path, pretrained: Path
) -> None:
    done = job(tmp_path, zipped(data, tmp_path / "gratings.zip", "outer/"), pretrained)
    fit(done, quiet())
    assert_same_weights(done.output, finished.output)


@pytest.fixture(scope="module")
def in_grey(tmp_path_factory: pytest.TempPathFactory, pretrained: Path) -> FitOptions:
    """A run over gratings without colours, from pretrained weights that have seen colours."""
    place = tmp_path_factory.mktemp("grey")
    data = write_gratings(place / "grey", {"Upright": 20, "Level": 20}, mode="L")
    done = job(place, data, pretrained, recipe=replace(RECIPE, grey=True))
    fit(done, quiet())
    return done


def test_a_network_of_one_channel_is_trained_and_is_right(in_grey: FitOptions) -> None:
    """On gratings that were never seen, in grey by their file or by our own weights of the colours."""
    model = load("stripes", folder=in_grey.output.parent)
    assert model.spec.channels == 1 and model.spec.classes == ("Level", "Upright")
    assert weights(in_grey.output)["features.0.0.weight"].shape[1] == 1
    for label, name in enumerate(("Upright", "Level")):
        for mode in ("L", "RGB"):
            picture = pictures.decode(encoded(grating(label, 1000).convert(mode)))
            assert run(classify(picture, model.spec), model.classifier)[0].label == name
    assert model.provenance["metrics"]["accuracy"] == 1


def test_a_network_of_one_channel_draws_in_grey(in_grey: FitOptions) -> None:
    """And it says of the file what was said of the drawing."""
    model = load("stripes", folder=in_grey.output.parent)
    for name in ("Upright", "Level"):
        found = imagine(model, name, steps=4).pictures[0]
        red, green, blue = found.picture
        assert torch.equal(red, green) and torch.equal(green, blue)
        said = {row.label: row.probability for row in run(classify(found.picture, model.spec), model.classifier)}
        assert said[name] == pytest.approx(found.score.strength, abs=1e-5)


def test_the_command_that_makes_a_grey_network_again(in_grey: FitOptions) -> None:
    found = checkpoint.read(in_grey.output).provenance
    assert " --grey " in found["command"] and found["recipe"]["grey"] is True


def test_a_run_in_colours_is_not_resumed_in_grey(
    tmp_path: Path, data: Path, pretrained: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stopped_after(0, monkeypatch, job(tmp_path, data, pretrained))
    with pytest.raises(BadRun, match="had grey False, not True"):
        fit(job(tmp_path, data, pretrained, recipe=replace(RECIPE, grey=True), resume=True), quiet())


def stopped_after(
    steps: int, monkeypatch: pytest.MonkeyPatch, asked: FitOptions, error: type[Exception] | None = None
) -> None:
    """Run until Ctrl-C comes, or an error, after so many steps."""
    whole = Learner.learn

    def interrupted(learner: Learner, *batch: Any) -> float:
        if learner.step == steps:
            raise error("at this step") if error else KeyboardInterrupt
        return whole(learner, *batch)

    with monkeypatch.context() as patch, pytest.raises(error or KeyboardInterrupt):
        patch.setattr(Learner, "learn", interrupted)
        fit(asked, quiet())


@pytest.mark.parametrize("steps", [0, 2, 3, 7, 8])
def test_a_resumed_run_ends_as_an_undisturbed_one(
    finished: FitOptions, tmp_path: Path, data: Path, pretrained: Path, monkeypatch: pytest.MonkeyPatch, steps: int
) -> None:
    """Bit for bit, of three epochs of three steps: stopped after the probe, within epochs, between them."""
    first = job(tmp_path, data, pretrained, save_every_s=0.0)
    stopped_after(steps, monkeypatch, first)
    assert not first.output.exists()
    torch.manual_seed(99)
    console = quiet()
    resumed = job(tmp_path, data, pretrained, resume=True)
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
    stopped_after(5, monkeypatch, job(tmp_path, data, pretrained), Diverged)
    early = job(tmp_path, data, pretrained, resume=True, finish=True)
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
    stopped_after(5, monkeypatch, job(tmp_path, data, pretrained, save_every_s=1e9), error)
    resumed, console = job(tmp_path, data, pretrained, resume=True), quiet()
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
        fit(job(tmp_path, data, pretrained), quiet())
    resumed = job(tmp_path, data, pretrained, resume=True)
    fit(resumed, quiet())
    assert_same_weights(resumed.output, finished.output)
    for row, other in zip(*(checkpoint.read(j.output).provenance["history"] for j in (resumed, finished)), strict=True):
        assert {**row, "seconds": 0} == {**other, "seconds": 0}


def test_what_is_refused_leaves_the_earlier_run_as_it_was(
    tmp_path: Path, data: Path, pretrained: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even where it may be overwritten: pretrained weights that are not there, a batch that cannot be shared."""
    stopped_after(2, monkeypatch, job(tmp_path, data, pretrained, save_every_s=0.0))
    kept = job(tmp_path, data, pretrained).folder.state_file.read_bytes()
    with pytest.raises(BadPretrainedWeights):
        fit(job(tmp_path, data, tmp_path / "typing-error.pth", overwrite=True), quiet())
    assert job(tmp_path, data, pretrained).folder.state_file.read_bytes() == kept


def test_what_could_not_be_read_is_asked_for_again(
    tmp_path: Path, pretrained: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its permissions may have changed since, which neither size nor time of a file tell."""
    folder, whole = write_gratings(tmp_path / "gratings", {"x": 10, "y": 10}), Source.read

    def read(source: Source, name: str) -> bytes:
        if name == "x/3.png":
            raise BadData("x/3.png cannot be read (PermissionError: Permission denied)")
        return whole(source, name)

    with monkeypatch.context() as patch:
        patch.setattr(Source, "read", read)
        assert len(prepare(job(tmp_path, folder, pretrained), quiet()).scan.photos) == 19
    assert len(prepare(job(tmp_path, folder, pretrained), quiet()).scan.photos) == 20


def test_going_on_without_a_run_starts_one_and_says_so(tmp_path: Path, data: Path, pretrained: Path) -> None:
    console = quiet()
    fit(job(tmp_path, data, pretrained, phase="probe", resume=True), console)
    assert isinstance(console.file, io.StringIO) and "no run to go on with" in console.file.getvalue()


def test_a_folder_whose_name_is_no_text(tmp_path: Path, pretrained: Path) -> None:
    """Bytes of another encoding: with a name of its own for the class, the checkpoint can be read."""
    write_gratings(tmp_path / "gratings", {"Reddish": 20, "Bl\udcfcish": 20})
    done = job(tmp_path, tmp_path / "gratings", pretrained, phase="probe", renamed={"Bl\udcfcish": "Blüish"})
    assert fitted(done).accuracy == 1
    found = checkpoint.read(done.output)
    assert set(found.spec.classes) == {"Reddish", "Blüish"}
    assert found.provenance["data"]["folders"]["Blüish"] == "Bl?ish"


def test_what_the_pretrained_weights_have_trained_on_does_not_judge_in_silence(
    finished: FitOptions, tmp_path: Path, data: Path
) -> None:
    """The same photos, split by another seed: some of the test side has been trained on before."""
    for seed, flattered in ((0, False), (1, True)):
        recipe = replace(RECIPE, seed=seed, epochs=0)
        done = job(tmp_path / str(seed), data, finished.output, recipe=recipe)
        fit(done, quiet())
        assert ("these figures flatter" in done.output.with_suffix(".md").read_text()) is flattered


def test_a_disk_that_is_too_full_for_a_logger_does_not_end_the_run(
    finished: FitOptions, tmp_path: Path, data: Path, pretrained: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("training.fit.loggers", lambda _: [full])
    asked = job(tmp_path, data, pretrained, cache=finished.cache)
    fit(asked, quiet())
    assert_same_weights(asked.output, finished.output)


def test_the_state_that_is_left_is_of_the_last_step_not_of_what_was_kept(finished: FitOptions, data: Path) -> None:
    ready = prepare(job(finished.output.parent, data, finished.weights or Path()), quiet())
    state = finished.folder.load_state(ready.identity)
    assert state is not None and state.learner is not None and state.best.name == "probe" and state.looks == 1
    assert not torch.equal(state.learner["network"]["features.0.0.weight"], state.best.weights["features.0.0.weight"])


def test_there_must_be_a_run_to_finish(tmp_path: Path, data: Path, pretrained: Path) -> None:
    with pytest.raises(BadRun, match="there is no run to finish"):
        fit(job(tmp_path, data, pretrained, resume=True, finish=True), quiet())


def test_a_file_that_breaks_midway_is_named(tmp_path: Path, pretrained: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where decoded photos are not kept, files are read in each epoch."""
    folder = write_gratings(tmp_path / "gratings", {"x": 20, "y": 20})
    whole = Learner.learn

    def breaking(learner: Learner, *batch: Any) -> float:
        for file in folder.glob("*/*.png"):
            file.write_bytes(b"gone")
        return whole(learner, *batch)

    monkeypatch.setattr(Learner, "learn", breaking)
    asked = job(tmp_path, folder, pretrained, cache=Cache(tmp_path / "cache", 0))
    with pytest.raises(BadData, match=r"[xy]/\d+\.png can no longer be decoded"):
        fit(asked, quiet())
    assert asked.folder.state_file.is_file()


def test_a_run_is_finished_without_the_files_that_are_lost(
    tmp_path: Path, pretrained: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two of the test photos; nothing that has trained judges in their place."""
    folder = write_gratings(tmp_path / "gratings", {"x": 20, "y": 20})
    asked = job(tmp_path, folder, pretrained)
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
    assert "2 more had been gone" in asked.output.with_suffix(".md").read_text()


def test_a_full_disk_while_saving_does_not_end_the_run(
    finished: FitOptions, tmp_path: Path, data: Path, pretrained: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every state after the first cannot be written: it is told, the run goes on and ends with the same weights."""
    from training.run_folder import RunFolder

    save, count = RunFolder.save_state, iter(range(100))

    def refused(folder: RunFolder, state: Any) -> None:
        if next(count):
            raise OSError(28, "No space left on device")
        save(folder, state)

    monkeypatch.setattr(RunFolder, "save_state", refused)
    asked, console = job(tmp_path, data, pretrained, save_every_s=0.0), quiet()
    fit(asked, console)
    assert isinstance(console.file, io.StringIO)
    assert "could not be saved (No space left on device): the one before it is kept" in console.file.getvalue()
    assert_same_weights(asked.output, finished.output)


def test_photos_are_the_same_with_and_without_a_cache(
    finished: FitOptions, tmp_path: Path, data: Path, pretrained: Path
) -> None:
    asked = job(tmp_path, data, pretrained, cache=Cache(tmp_path / "cache", 0))
    fit(asked, quiet())
    assert_same_weights(asked.output, finished.output)


def test_resuming_another_run_is_refused(
    tmp_path: Path, data: Path, pretrained: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stopped_after(0, monkeypatch, job(tmp_path, data, pretrained))
    with pytest.raises(BadRun, match="give --resume"):
        fit(job(tmp_path, data, pretrained), quiet())
    other = replace(RECIPE, epochs=4, batch_size=4, class_weights="balanced")
    with pytest.raises(
        BadRun, match="had batch_size 8, not 4; class_weights none, not balanced: give the same options"
    ):
        fit(job(tmp_path, data, pretrained, recipe=other, resume=True), quiet())
    more = write_gratings(tmp_path / "more", {"Reddish": 21, "Bluish": 20})
    with pytest.raises(BadRun, match=r"had data .*split"):
        fit(job(tmp_path, more, pretrained, resume=True), quiet())


def test_the_scan_and_the_probe_are_kept(
    finished: FitOptions, tmp_path: Path, data: Path, pretrained: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A second run on the same photos, of another name, decodes none but to measure."""

    def refuse(*_: object) -> None:
        raise AssertionError("was kept already")

    monkeypatch.setattr("training.data.scan.scan_source.inspect_files", refuse)
    monkeypatch.setattr(Learner, "features", refuse)
    monkeypatch.setattr("training.fit.best_probe", refuse)
    asked = job(tmp_path, data, pretrained, cache=finished.cache)
    assert fitted(asked).photos == 6
    assert_same_weights(asked.output, finished.output)


def test_other_penalties_are_fitted_to_the_same_features(
    finished: FitOptions, tmp_path: Path, data: Path, pretrained: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The features are kept, the probe of other penalties is not this one's."""

    def refuse(*_: object) -> None:
        raise AssertionError("was kept already")

    monkeypatch.setattr(Learner, "features", refuse)
    recipe = replace(RECIPE, probe_penalties=(0.5,))
    console = Console(file=io.StringIO(), width=200)
    fit(job(tmp_path, data, pretrained, cache=finished.cache, recipe=recipe, phase="probe"), console)
    assert "probe (penalty 0.5)" in console.file.getvalue()  # type: ignore[attr-defined]


def test_the_card_has_the_figures(finished: FitOptions) -> None:
    card = finished.output.with_suffix(".md").read_text()
    low = checkpoint.read(finished.output).provenance["metrics"]["interval"][0]
    assert "**100.00 % of 6 test photos right**" in card and f"{100 * low:.2f} %" in card
    assert "`Bluish`, `Reddish`" in card and "1 not a picture" in card and "| Reddish | 3 | 100.00 % | none |" in card


COMMAND = """
import sys, torch
from pathlib import Path
torch.set_num_threads(1)
from rich.console import Console
from training.cache import Cache
from training.fit import fit
from training.options import FitOptions
from training.recipe import Recipe
from training.learner import Learner

if __name__ == "__main__":
    place, data, pretrained = map(Path, sys.argv[1:4])
    whole = Learner.learn

    def slow(learner, *batch):
        if learner.step == 7 and sys.argv[4] == "hang":
            print("MID-EPOCH", flush=True)
            import time; time.sleep(600)
        return whole(learner, *batch)

    Learner.learn = slow
    recipe = Recipe(epochs=3, full_size_epochs=1, batch_size=8, input_size=48, precision="float32")
    fit(FitOptions(data=data, output=place / "stripes.safetensors", architecture="mobilenet_v3_small", recipe=recipe,
            weights=pretrained, runs=place / "runs", workers=1, resume=sys.argv[4] != "hang", save_every_s=0.0,
            cache=Cache(place / "cache"), robustness_photos=0), Console())
"""


def start(place: Path, data: Path, pretrained: Path, how: str) -> "subprocess.Popen[str]":
    script = place / "train.py"
    script.write_text(COMMAND)
    words = [sys.executable, str(script), str(place), str(data), str(pretrained), how]
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    return subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env=environment, start_new_session=True)


def alive_in_session(session: int) -> list[int]:
    """Processes (but zombies) of a session; Linux."""
    found = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, _, own = status.read_text().rsplit(")", 1)[1].split()[:4]
        except OSError:  # it ended meanwhile
            continue
        if int(own) == session and state != "Z":
            found.append(int(status.parent.name))
    return found


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks for left-over processes in Linux' /proc")
def test_kill_9_loses_no_saved_step_and_leaves_no_process(tmp_path: Path, data: Path, pretrained: Path) -> None:
    """Killed within its third epoch it goes on after the step before, and its workers have ended with it."""
    killed = start(tmp_path, data, pretrained, "hang")
    assert killed.stdout is not None
    assert any("MID-EPOCH" in line for line in killed.stdout)
    os.kill(killed.pid, signal.SIGKILL)
    killed.wait()
    killed.stdout.close()
    for _ in range(100):
        if not alive_in_session(killed.pid):
            break
        time.sleep(0.1)
    assert alive_in_session(killed.pid) == []
    told, _ = start(tmp_path, data, pretrained, "resume").communicate()
    assert "continuing after step 7 of 9" in told
    assert checkpoint.read(tmp_path / "stripes.safetensors").provenance["history"][-1]["epoch"] == 3


STILL = replace(RECIPE, probe_penalties=(100.0,), head_rate=1e-9, backbone_rate=1e-9)
"""A head that learns how frequent each class is, and hardly more."""


def unequal(place: Path) -> Path:
    """Forty photos of a class, and eight of another."""
    return write_gratings(place / "photos", {"frequent": 40, "rare": 8})


def test_a_class_that_is_never_predicted_is_warned_of_everywhere(tmp_path: Path, pretrained: Path) -> None:
    """86 % are right and every rare photo is missed: told at the terminal, on the card, in the report, in the file."""
    recipe = replace(STILL, epochs=1)
    asked, console = job(tmp_path, unequal(tmp_path), pretrained, recipe=recipe), quiet()
    assert fit(asked, console) is not None
    found = checkpoint.read(asked.output).provenance
    metrics = found["metrics"]
    assert metrics["never_predicted"] == ["rare"] and metrics["balanced_accuracy"] == 0.5 < metrics["accuracy"]
    assert isinstance(console.file, io.StringIO)
    said = console.file.getvalue()
    assert "warning: the class 'rare' is never predicted on the test split" in said
    assert "or with --class-weights balanced." in said and "(balanced 0.5000, loss" in said
    assert "chosen by accuracy on the validation split" in said
    assert {"raw_balanced_accuracy", "ema_balanced_accuracy"} <= found["history"][0].keys()
    assert "raw_balanced_accuracy" in (asked.folder.path / "history.csv").read_text(encoding="utf-8").splitlines()[0]
    assert "**Warning:** the class 'rare'" in asked.output.with_suffix(".md").read_text(encoding="utf-8")
    report = (asked.folder.path / "report.html").read_text(encoding="utf-8")
    assert "never predicted on the test split" in report and "balanced accuracy 50.00%</h1>" in report


def test_with_balanced_weights_the_rare_class_is_predicted(tmp_path: Path, pretrained: Path) -> None:
    """By the very same head, that hardly learns anything else; the best is chosen by balanced accuracy, as is said."""
    recipe = replace(STILL, epochs=1, class_weights="balanced")
    asked, console = job(tmp_path, unequal(tmp_path), pretrained, recipe=recipe), quiet()
    fit(asked, console)
    found = checkpoint.read(asked.output).provenance
    validation = found["metrics"]["validation"]
    assert "rare" not in {*validation["never_predicted"], *found["metrics"]["never_predicted"]}
    assert found["recipe"]["class_weights"] == "balanced" and "--class-weights balanced" in found["command"]
    assert isinstance(console.file, io.StringIO)
    assert "chosen by balanced accuracy on the validation split" in console.file.getvalue()
    assert found["metrics"]["balanced_accuracy"] >= 0.8 and validation["balanced_accuracy"] >= 0.8
    assert "the best was chosen by balanced accuracy" in asked.output.with_suffix(".md").read_text(encoding="utf-8")

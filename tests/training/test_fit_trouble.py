import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.training.drawn import write_gratings
from tests.training.runs import (
    RECIPE,
    assert_same_weights,
    fit_options,
    quiet,
    stopped_after,
)
from training.cache import Cache
from training.data.sources.source import BadData, Source
from training.fit import fit
from training.learner import Learner
from training.options import FitOptions
from training.prepare import prepare
from training.pretrained import BadPretrainedWeights
from training.recipe import BadRecipe
from training.run_state import BadRun


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
        fit(fit_options(tmp_path, photos, pretrained, runs=photos / "runs"), quiet())
    assert sorted(file.name for file in photos.iterdir()) == ["x", "y"]


def test_what_is_refused_leaves_the_earlier_run_as_it_was(
    tmp_path: Path, data: Path, pretrained: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even where it may be overwritten: pretrained weights that are not there, a batch that cannot be shared."""
    stopped_after(2, monkeypatch, fit_options(tmp_path, data, pretrained, save_every_s=0.0))
    kept = fit_options(tmp_path, data, pretrained).folder.state_file.read_bytes()
    with pytest.raises(BadPretrainedWeights):
        fit(fit_options(tmp_path, data, tmp_path / "typing-error.pth", overwrite=True), quiet())
    assert fit_options(tmp_path, data, pretrained).folder.state_file.read_bytes() == kept


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
        assert len(prepare(fit_options(tmp_path, folder, pretrained), quiet()).data.scan.photos) == 19
    assert len(prepare(fit_options(tmp_path, folder, pretrained), quiet()).data.scan.photos) == 20


def test_a_disk_that_is_too_full_for_a_logger_does_not_end_the_run(
    finished: FitOptions, tmp_path: Path, data: Path, pretrained: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("training.fit.loggers", lambda _: [full])
    asked = fit_options(tmp_path, data, pretrained, cache=finished.cache)
    fit(asked, quiet())
    assert_same_weights(asked.output, finished.output)


def test_a_file_that_breaks_midway_is_named(tmp_path: Path, pretrained: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where decoded photos are not kept, files are read in each epoch."""
    folder = write_gratings(tmp_path / "gratings", {"x": 20, "y": 20})
    whole = Learner.learn

    def breaking(learner: Learner, *batch: Any) -> float:
        for file in folder.glob("*/*.png"):
            file.write_bytes(b"gone")
        return whole(learner, *batch)

    monkeypatch.setattr(Learner, "learn", breaking)
    asked = fit_options(tmp_path, folder, pretrained, cache=Cache(tmp_path / "cache", 0))
    with pytest.raises(BadData, match=r"[xy]/\d+\.png can no longer be decoded"):
        fit(asked, quiet())
    assert asked.folder.state_file.is_file()


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
    asked, console = fit_options(tmp_path, data, pretrained, save_every_s=0.0), quiet()
    fit(asked, console)
    assert isinstance(console.file, io.StringIO)
    assert "could not be saved (No space left on device): the one before it is kept" in console.file.getvalue()
    assert_same_weights(asked.output, finished.output)

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
    stop_after,
)
from training.cache import Cache
from training.data.sources.source import BadData, Source
from training.fit import fit
from training.importing.contents import BadWeightsFile
from training.learner import Learner
from training.options import FitOptions
from training.prepare import prepare
from training.recipe import BadRecipe
from training.run_state import BadRun

pytestmark = pytest.mark.usefixtures("without_report")


def test_a_refused_recipe_or_finish_leaves_the_earlier_run_unchanged(finished: FitOptions) -> None:
    """Neither too many frozen blocks nor --finish with --overwrite changes the saved state."""
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


def test_missing_pretrained_weights_leave_the_earlier_run_unchanged(
    tmp_path: Path, data: Path, pretrained: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The run is refused although --overwrite allows to replace the earlier one."""
    stop_after(2, monkeypatch, fit_options(tmp_path, data, pretrained, save_every_s=0.0))
    before = fit_options(tmp_path, data, pretrained).folder.state_file.read_bytes()
    with pytest.raises(BadWeightsFile):
        fit(fit_options(tmp_path, data, tmp_path / "typing-error.pth", overwrite=True), quiet())
    assert fit_options(tmp_path, data, pretrained).folder.state_file.read_bytes() == before


def test_a_file_that_could_not_be_read_is_tried_again(
    tmp_path: Path, pretrained: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its permissions may have changed since then, which neither the size nor the time of a file shows."""
    folder, whole_read = write_gratings(tmp_path / "gratings", {"x": 10, "y": 10}), Source.read

    def read(source: Source, name: str) -> bytes:
        if name == "x/3.png":
            raise BadData("x/3.png cannot be read (PermissionError: Permission denied)")
        return whole_read(source, name)

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
    options = fit_options(tmp_path, data, pretrained, cache=finished.cache)
    fit(options, quiet())
    assert_same_weights(options.output, finished.output)


def test_a_file_that_breaks_during_training_is_named(
    tmp_path: Path, pretrained: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a cache of decoded photos, files are read in every epoch."""
    folder = write_gratings(tmp_path / "gratings", {"x": 20, "y": 20})
    learn = Learner.learn

    def break_files(learner: Learner, *batch: Any) -> float:
        for file in folder.glob("*/*.png"):
            file.write_bytes(b"gone")
        return learn(learner, *batch)

    monkeypatch.setattr(Learner, "learn", break_files)
    options = fit_options(tmp_path, folder, pretrained, cache=Cache(tmp_path / "cache", 0))
    with pytest.raises(BadData, match=r"[xy]/\d+\.png can no longer be decoded"):
        fit(options, quiet())
    assert options.folder.state_file.is_file()


def test_a_full_disk_while_saving_does_not_end_the_run(
    finished: FitOptions, tmp_path: Path, data: Path, pretrained: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No state but the first can be written: a message says so, and the run ends with the same weights."""
    from training.run_folder import RunFolder

    save, count = RunFolder.save_state, iter(range(100))

    def fail_after_first(folder: RunFolder, state: Any) -> None:
        if next(count):
            raise OSError(28, "No space left on device")
        save(folder, state)

    monkeypatch.setattr(RunFolder, "save_state", fail_after_first)
    options, console = fit_options(tmp_path, data, pretrained, save_every_s=0.0), quiet()
    fit(options, console)
    assert isinstance(console.file, io.StringIO)
    assert "could not be saved (No space left on device): the one before it is kept" in console.file.getvalue()
    assert_same_weights(options.output, finished.output)

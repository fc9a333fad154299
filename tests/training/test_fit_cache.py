import io
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from tests.training.runs import (
    RECIPE,
    assert_same_weights,
    fit_options,
    fitted,
    quiet,
)
from training.cache import Cache
from training.fit import fit
from training.learner import Learner
from training.options import FitOptions


def test_photos_are_the_same_with_and_without_a_cache(
    finished: FitOptions, tmp_path: Path, data: Path, pretrained: Path
) -> None:
    asked = fit_options(tmp_path, data, pretrained, cache=Cache(tmp_path / "cache", 0))
    fit(asked, quiet())
    assert_same_weights(asked.output, finished.output)


def test_the_scan_and_the_probe_are_kept(
    finished: FitOptions, tmp_path: Path, data: Path, pretrained: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A second run on the same photos, of another name, decodes none but to measure."""

    def refuse(*_: object) -> None:
        raise AssertionError("was kept already")

    monkeypatch.setattr("training.data.scan.scan_source.inspect_files", refuse)
    monkeypatch.setattr(Learner, "features", refuse)
    monkeypatch.setattr("training.run.best_probe", refuse)
    asked = fit_options(tmp_path, data, pretrained, cache=finished.cache)
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
    fit(fit_options(tmp_path, data, pretrained, cache=finished.cache, recipe=recipe, phase="probe"), console)
    assert "probe (penalty 0.5)" in console.file.getvalue()  # type: ignore[attr-defined]

import io
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from tests.training.runs import (
    RECIPE,
    assert_same_weights,
    fit_options,
    fit_to_end,
    quiet,
)
from training.cache import Cache
from training.fit import fit
from training.learner import Learner
from training.options import FitOptions

pytestmark = pytest.mark.usefixtures("without_report")


def test_weights_are_the_same_with_and_without_a_cache(
    finished: FitOptions, tmp_path: Path, data: Path, pretrained: Path
) -> None:
    options = fit_options(tmp_path, data, pretrained, cache=Cache(tmp_path / "cache", 0))
    fit(options, quiet())
    assert_same_weights(options.output, finished.output)


def test_the_scan_and_the_probe_are_cached(
    finished: FitOptions, tmp_path: Path, data: Path, pretrained: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A second run with the same photos neither scans them nor computes features or a probe."""

    def refuse(*_: object) -> None:
        raise AssertionError("was cached already")

    monkeypatch.setattr("training.data.scan.scan_source.inspect_files", refuse)
    monkeypatch.setattr(Learner, "features", refuse)
    monkeypatch.setattr("training.run.best_probe", refuse)
    options = fit_options(tmp_path, data, pretrained, cache=finished.cache)
    assert fit_to_end(options).photos == 6
    assert_same_weights(options.output, finished.output)


def test_other_penalties_are_fitted_to_the_same_features(
    finished: FitOptions, tmp_path: Path, data: Path, pretrained: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The features are cached, but the probe is fitted again, since it depends on the penalties."""

    def refuse(*_: object) -> None:
        raise AssertionError("was cached already")

    monkeypatch.setattr(Learner, "features", refuse)
    recipe = replace(RECIPE, probe_penalties=(0.5,))
    console = Console(file=io.StringIO(), width=200)
    fit(fit_options(tmp_path, data, pretrained, cache=finished.cache, recipe=recipe, phase="probe"), console)
    assert "probe (penalty 0.5)" in console.file.getvalue()  # type: ignore[attr-defined]

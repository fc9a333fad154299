"""Small runs of `fit`, whole or interrupted, for the tests of everything that a run does."""

import io
from pathlib import Path
from typing import Any

import pytest
import torch
from rich.console import Console

from models import checkpoint
from tests.training.drawn import ARCHITECTURE
from training.cache import Cache
from training.fit import fit
from training.learner import Learner
from training.metrics import Metrics
from training.options import FitOptions
from training.recipe import Recipe

REPOSITORY = Path(__file__).parents[2]


RECIPE = Recipe(epochs=3, full_size_epochs=1, batch_size=8, input_size=48, precision="float32")


def fit_options(place: Path, data: Path, pretrained: Path, **fields: Any) -> FitOptions:
    defaults: dict[str, Any] = {
        "recipe": RECIPE,
        "architecture": ARCHITECTURE,
        "weights": pretrained,
        "runs": place / "runs",
    }
    defaults |= {"cache": Cache(place / "cache"), "robustness_photos": 0}
    return FitOptions(data=data, output=place / "stripes.safetensors", **{**defaults, **fields})


def quiet() -> Console:
    return Console(file=io.StringIO(), width=200)


def fit_to_end(options: FitOptions) -> Metrics:
    """Run to the end, and return the metrics."""
    metrics = fit(options, quiet())
    assert metrics is not None
    return metrics


def weights(file: Path) -> dict[str, torch.Tensor]:
    return dict(checkpoint.read(file).weights)


def assert_same_weights(first_file: Path, second_file: Path) -> None:
    first, second = weights(first_file), weights(second_file)
    assert first.keys() == second.keys()
    assert [key for key in first if not torch.equal(first[key], second[key])] == []


def stop_after(
    steps: int, monkeypatch: pytest.MonkeyPatch, options: FitOptions, error: type[Exception] | None = None
) -> None:
    """Run for this number of steps, which end with Ctrl-C or with the error."""
    learn = Learner.learn

    def interrupt(learner: Learner, *batch: Any) -> float:
        if learner.step == steps:
            raise error("at this step") if error else KeyboardInterrupt
        return learn(learner, *batch)

    with monkeypatch.context() as patch, pytest.raises(error or KeyboardInterrupt):
        patch.setattr(Learner, "learn", interrupt)
        fit(options, quiet())

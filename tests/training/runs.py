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

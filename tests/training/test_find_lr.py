import io
from pathlib import Path

import pytest
from rich.console import Console

from tests.training.drawn import ARCHITECTURE, write_gratings, write_pretrained
from training.cache import Cache
from training.find_lr import HIGHEST, HOPELESS, LOWEST, RangeTest, find_lr
from training.learner import Diverged, Learner
from training.options import TrainingOptions
from training.recipe import Recipe


@pytest.fixture
def options(tmp_path: Path) -> TrainingOptions:
    data = write_gratings(tmp_path / "gratings", {"x": 20, "y": 20})
    recipe = Recipe(batch_size=8, input_size=48, precision="float32", head_rate=1e-3, backbone_rate=1e-4)
    pretrained = write_pretrained(tmp_path / "weights.pth")
    cache = Cache(tmp_path / "cache")
    return TrainingOptions(data=data, architecture=ARCHITECTURE, recipe=recipe, weights=pretrained, cache=cache)


def test_the_rates_grow_geometrically_and_losses_are_smoothed(
    options: TrainingOptions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Losses are 1, 2, 3, ...: after two steps the bias-corrected average is (0.09 * 1 + 0.1 * 2) / 0.19."""
    rates: list[tuple[float, float]] = []

    def learn(learner: Learner, *_: object) -> float:
        rates.append((learner.rate(learner.step) * 1e-4, learner.rate(learner.step) * 1e-3))
        learner.step += 1
        return float(learner.step)

    monkeypatch.setattr(Learner, "learn", learn)
    result = find_lr(options, Console(file=io.StringIO()), steps=7)
    assert result.rates[:2] == pytest.approx([LOWEST, LOWEST * 10]) and rates[0] == pytest.approx((1e-6, 1e-5))
    assert result.losses[:2] == pytest.approx([1.0, (0.09 * 1 + 0.1 * 2) / 0.19])
    assert all(loss <= HOPELESS for loss in result.losses[:-1])
    assert {path.name for path in tmp_path.iterdir()} <= {"cache", "gratings", "weights.pth"}, "it writes nothing else"


def test_the_range_test_ends_when_training_diverges(options: TrainingOptions, monkeypatch: pytest.MonkeyPatch) -> None:
    def learn(learner: Learner, *_: object) -> float:
        learner.step += 1
        if learner.step == 4:
            raise Diverged
        return 1 / learner.step

    monkeypatch.setattr(Learner, "learn", learn)
    assert len(find_lr(options, Console(file=io.StringIO()), steps=20).rates) == 3


def test_a_first_step_that_diverges_is_an_error(options: TrainingOptions, monkeypatch: pytest.MonkeyPatch) -> None:
    def learn(learner: Learner, *_: object) -> float:
        raise Diverged("at once")

    monkeypatch.setattr(Learner, "learn", learn)
    with pytest.raises(Diverged, match="at once"):
        find_lr(options, Console(file=io.StringIO()), steps=20)


def test_the_suggestion_for_a_real_network_is_below_the_highest_rate(options: TrainingOptions) -> None:
    assert LOWEST <= find_lr(options, Console(file=io.StringIO()), steps=24).suggestion < HIGHEST / 3


def test_the_suggestion_is_a_third_of_the_rate_with_the_least_loss() -> None:
    assert RangeTest([1e-4, 1e-3, 1e-2, 1e-1], [1.0, 0.8, 0.5, 2.0]).suggestion == pytest.approx(1e-2 / 3)

"""The learning rate range test (Smith 2015, arxiv.org/abs/1506.01186): the rate rises until the loss does."""

import math
from dataclasses import dataclass, field, replace

from rich.console import Console

from training.console import track
from training.learner import Diverged
from training.options import TrainingOptions
from training.prepare import prepare
from training.run import Run

LOWEST, HIGHEST = 1e-6, 1.0
"""Learning rates of the backbone at the first and at the last step."""
SMOOTHING = 0.9
"""Weight of the earlier losses in the exponential average."""
HOPELESS = 4.0
"""The test ends when the loss is this many times the smallest one."""


@dataclass(frozen=True)
class RangeTest:
    """The learning rates of the backbone that were tried, and the smoothed loss at each."""

    rates: list[float] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)

    @property
    def suggestion(self) -> float:
        """A third of the rate of least loss: there the loss still falls, well below the rates where it grows."""
        return self.rates[self.losses.index(min(self.losses))] / 3


def find_lr(options: TrainingOptions, console: Console, steps: int = 100) -> RangeTest:
    """Train for `steps` steps after the linear probe, at rates from LOWEST to HIGHEST; writes nothing but the cache.

    The rates of the head and of earlier blocks keep the recipe's ratio to the rate of the backbone. The losses are
    smoothed by an exponential average. Raises what preparing a run raises, and Diverged if the first step fails.
    """
    recipe = replace(options.recipe, epsilon_warm_up=0.0)  # attacks as they are after the warm-up
    options = replace(options, recipe=recipe)
    run = Run(prepare(options, console), console)
    run.fit_probe()
    epochs = math.ceil(steps / run.plan.steps_per_epoch)
    plan = replace(run.plan, recipe=replace(recipe, epochs=epochs, full_size_epochs=0))
    rates = [LOWEST * (HIGHEST / LOWEST) ** (step / max(1, steps - 1)) for step in range(steps)]
    learner = run.learner(run.choose_precision(), rate=lambda step: rates[step] / recipe.backbone_rate)
    batches = track(console, run.training_batches(0, plan), what="rates", total=steps)
    result, average = RangeTest(), 0.0
    for (pixels, labels), rate in zip(batches, rates, strict=False):
        try:
            loss = learner.learn(pixels, labels)
        except Diverged:
            if not result.rates:
                raise
            break
        average = SMOOTHING * average + (1 - SMOOTHING) * loss
        result.rates.append(rate)
        result.losses.append(average / (1 - SMOOTHING ** len(result.rates)))
        if result.losses[-1] > HOPELESS * min(result.losses):
            break
    return result

"""The learning rate range test (Smith 2015, arxiv.org/abs/1506.01186): the rate grows until the loss does."""

import math
from dataclasses import dataclass, field, replace

from rich.console import Console

from training.console import track
from training.data.loading.batches import training_batches
from training.fit import Run
from training.learner import Diverged
from training.prepare import FitOptions, prepare

LOWEST, HIGHEST = 1e-6, 1.0
SMOOTHING = 0.9
HOPELESS = 4.0
"""Times the least loss, at which it ends."""


@dataclass(frozen=True)
class Found:
    """The backbone's rates that were tried, and the smoothed loss at each."""

    rates: list[float] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)

    @property
    def suggestion(self) -> float:
        """A third of the rate of least loss: the loss still falls there, and has room before it grows."""
        return self.rates[self.losses.index(min(self.losses))] / 3


def find_lr(options: FitOptions, console: Console, steps: int = 100) -> Found:
    """Train for so many steps from the probe's head, the rate growing from LOWEST to HIGHEST; saves nothing.

    Head and blocks keep the recipe's ratio to the backbone's rate. The losses are smoothed as an exponential average.
    """
    options = replace(
        options, recipe=replace(options.recipe, epsilon_warm_up=0.0)
    )  # an attack as it is after the warm-up
    run = Run(prepare(options, console, dry=True), console)
    state = run.probe()
    epochs = math.ceil(steps / run.plan.steps_per_epoch)
    plan = replace(run.plan, recipe=replace(options.recipe, epochs=epochs, full_size_epochs=0))
    rates = [LOWEST * (HIGHEST / LOWEST) ** (step / max(1, steps - 1)) for step in range(steps)]
    learner = run.learner(state.precision, rate=lambda step: rates[step] / options.recipe.backbone_rate)
    batches = training_batches(run.ready.labelled(run.ready.split.train), plan, 0, workers=options.workers)
    found, average = Found(), 0.0
    for (pixels, labels), rate in zip(track(console, batches, what="rates", total=steps), rates, strict=False):
        try:
            loss = learner.learn(pixels, labels)
        except Diverged:
            if not found.rates:
                raise
            break
        average = SMOOTHING * average + (1 - SMOOTHING) * loss
        found.rates.append(rate)
        found.losses.append(average / (1 - SMOOTHING ** len(found.rates)))
        if found.losses[-1] > HOPELESS * min(found.losses):
            break
    return found

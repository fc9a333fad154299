"""How much better a network does with other preprocessing, photo by photo, and when that is no chance."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from training.importing.alternatives import Alternative
from training.metrics import are_right, best_temperature

SURE = 0.001
"""Largest p-value of a lower loss that counts as no chance (docs/how-to/importing.md has the rates of errors)."""
WORTH = 0.1
"""Smallest fall of the loss, as a part of it, that is worth a remark: many networks do a little better with a resize
that is not their own."""
LEAST = 0.01
"""Smallest gain in nats that counts, of one photo and of all on average: of a network that is nearly always right, the
log-probabilities of all photos depend a little on everything."""
HOPELESS = 3.0
"""An alternative is given up if its gain is so many standard errors below what would be worth a remark."""
FEWEST = 10
"""Smallest number of photos with a gain or a loss that Wilcoxon's test is asked about."""
CHANCE = 0.05
"""Smallest p-value with which an accuracy counts as chance."""


@dataclass(frozen=True)
class Scores:
    """The answers of a network about labelled photos.

    The answers of a network with a single label are those of two classes: the logit of the label, and 0.
    """

    logits: Float[Tensor, "n k"]
    labels: Int64[Tensor, " n"]
    multi_label: bool = False

    @cached_property
    def right(self) -> Bool[Tensor, " n"]:
        """Whether each photo is classified correctly, as `training.metrics.are_right` says."""
        return are_right(self.logits, self.labels, multi_label=self.multi_label)

    @property
    def accuracy(self) -> float:
        """Share of the photos that are classified correctly."""
        return self.right.double().mean().item()

    @cached_property
    def log_probability(self) -> Float[Tensor, " n"]:
        """The log-probability of each photo's label among all, at the temperature that suits these logits best.

        At that temperature, preprocessing that only makes an overconfident network less certain is no better.
        """
        logits = self.logits.double().nan_to_num()
        logits = logits / best_temperature(logits, self.labels)
        return logits.log_softmax(dim=1).gather(1, self.labels.unsqueeze(1)).squeeze(1)

    @property
    def loss(self) -> float:
        """The mean cross-entropy in nats, at that temperature."""
        return -self.log_probability.mean().item()

    @cached_property
    def is_at_chance(self) -> bool:
        """Whether guesses, or the same answers each about another photo, may be right as often (p of 0.05 or more)."""
        from scipy.stats import binom  # late: it takes a second to import

        photos, classes = self.logits.shape
        chance = 1 / classes
        if len(self.labels.unique()) > 1:
            answers = torch.bincount(self.logits.argmax(dim=1), minlength=classes)
            chance = max(chance, answers[self.labels].double().mean().item() / photos)
        return bool(binom.sf(int(self.right.sum()) - 1, photos, chance) >= CHANCE)

    def first(self, count: int) -> "Scores":
        """The same of the first `count` photos."""
        return self if count == len(self.labels) else self.of(slice(count))

    def of(self, chosen: slice | Int64[Tensor, " m"]) -> "Scores":
        """The same of some photos."""
        return replace(self, logits=self.logits[chosen], labels=self.labels[chosen])


@dataclass(frozen=True)
class Trial:
    """An alternative that was tried, what the network answers with it, and what it answers without it."""

    alternative: Alternative
    scores: Scores
    before: Scores

    @cached_property
    def gains(self) -> Float[Tensor, " n"]:
        """The rise of the log-probability of each photo's label, in nats."""
        return self.scores.log_probability - self.before.log_probability

    @property
    def is_better(self) -> bool:
        """Whether the loss is so much lower, at no smaller accuracy, that what was before is a mistake."""
        return self.is_lower and self.p_value < SURE and not self.scores.is_at_chance

    @property
    def is_lower(self) -> bool:
        """Whether the loss is lower by what counts, at no smaller accuracy; that may be chance."""
        fall = self.before.loss - self.scores.loss
        return self.scores.accuracy >= self.before.accuracy and fall > self._worth

    @property
    def is_hopeless(self) -> bool:
        """Whether it hardly can be so much better on more photos."""
        return in_standard_errors(self.gains - self._worth) < -HOPELESS

    @property
    def _worth(self) -> float:
        return max(LEAST, WORTH * self.before.loss)

    @cached_property
    def p_value(self) -> float:
        """The probability that chance alone makes the gains as large as they are.

        It is the smaller one of Wilcoxon's signed-rank test (1945, Biometrics Bulletin 1, 80-83) and Student's t-test,
        times two because the better one of two tests is taken (Bonferroni): the first finds gains of most photos, and
        the second those of a few photos that were misjudged entirely.
        """
        from scipy import stats  # late: it takes a second to import

        if len(self.gains) < 2:
            return 1.0
        by_mean = float(stats.t.sf(in_standard_errors(self.gains), len(self.gains) - 1))
        changed = self.gains[self.gains.abs() > LEAST].numpy()
        if len(changed) < FEWEST:
            return by_mean
        return min(1.0, 2 * min(by_mean, float(stats.wilcoxon(changed, alternative="greater").pvalue)))


def in_standard_errors(gains: Float[Tensor, " n"]) -> float:
    """The mean, divided by its standard error; infinite where all are the same, and 0 for a single one."""
    mean = gains.mean().item()
    if len(gains) < 2 or mean == 0:
        return 0.0
    error = gains.std().item() / math.sqrt(len(gains))
    return mean / error if error > 0 else math.copysign(math.inf, mean)


def choose(trials: Sequence[Trial]) -> Trial | None:
    """The best of those that are better; of all within one standard error of it the first, which is the most usual.

    That one alone may have been a little too unsure to count as better: ImageNet's normalisation and CLIP's are alike.
    """
    better = [trial for trial in trials if trial.is_better]
    if not better:
        return None
    best = min(better, key=lambda trial: trial.scores.loss)
    return next(trial for trial in trials if trial.is_lower and in_standard_errors(best.gains - trial.gains) <= 1)

"""Tests when other preprocessing does better, on answers that are given."""

import math

import pytest
import torch
from scipy import stats
from torch import Tensor

from models.spec import Spec
from training.importing.alternatives import Alternative
from training.importing.trial import LEAST, SURE, WORTH, Scores, Trial, choose, in_standard_errors

SPEC = Spec("squeezenet1_1", ("cat", "dog"))


def logits_of(log_probabilities: Tensor) -> Tensor:
    """Logits of two classes that give the first one these log-probabilities."""
    return torch.stack([log_probabilities, torch.log1p(-log_probabilities.exp())], dim=1).float()


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


class Known(Scores):
    """Scores whose log-probabilities are given, and not computed from logits."""

    def __init__(self, log_probability: Tensor, *, at_chance: bool = False) -> None:
        photos = len(log_probability)
        super().__init__(torch.eye(2)[torch.arange(photos) % 2], torch.arange(photos) % 2)
        self.__dict__.update(log_probability=log_probability.double(), is_at_chance=at_chance)


def trial(before: Tensor, gains: Tensor, name: str = "other", *, at_chance: bool = False) -> Trial:
    return Trial(Alternative(name, {}, SPEC), Known(before + gains, at_chance=at_chance), Known(before))


def test_accuracy_and_loss_are_those_of_the_true_classes() -> None:
    """Three of four are right. At the best temperature of [+a, +a, +a, -a] each side of 0 has probability 3/4."""
    margins = torch.tensor([1.0, 1.0, 1.0, -1.0])
    scores = Scores(torch.stack([margins, torch.zeros(4)], dim=1), torch.zeros(4, dtype=torch.long))
    assert scores.accuracy == 0.75
    assert scores.loss == pytest.approx(-(0.75 * math.log(0.75) + 0.25 * math.log(0.25)), abs=1e-6)


@pytest.mark.parametrize("scale", [0.5, 1.0, 5.0])
def test_a_network_that_is_too_certain_or_too_uncertain_is_not_better_or_worse(scale: float) -> None:
    """Multiplied logits have the same order and so, at the best temperature, the same log-probabilities."""
    logits = torch.randn(50, 4, generator=seeded())
    labels = (logits + torch.randn(50, 4, generator=seeded(1))).argmax(dim=1)
    same, scaled = Scores(logits, labels), Scores(scale * logits, labels)
    torch.testing.assert_close(scaled.log_probability, same.log_probability, rtol=1e-4, atol=1e-4)


def test_logits_a_hundred_times_too_large_are_worse() -> None:
    """A temperature above 10 is no miscalibration, but a mistake: values to 255 where values to 1 are expected."""
    logits = torch.randn(50, 4, generator=seeded())
    labels = (logits + torch.randn(50, 4, generator=seeded(1))).argmax(dim=1)
    assert Scores(100 * logits, labels).loss > 2 * Scores(logits, labels).loss


def test_answers_that_are_no_numbers_say_nothing() -> None:
    """Of ten photos all answers are NaN: each class has the probability 1/4, at any temperature."""
    scores = Scores(torch.full((10, 4), math.nan), torch.arange(10) % 4)
    assert scores.loss == pytest.approx(math.log(4))
    assert scores.is_at_chance


@pytest.mark.parametrize(
    ("right", "photos", "classes", "expected"),
    [
        (58, 100, 2, True),  # P(X >= 58) = 0.067 for 100 throws of a coin
        (59, 100, 2, False),  # P(X >= 59) = 0.044
        (0, 100, 1000, True),
        (1, 100, 1000, True),  # P(X >= 1) = 0.095
        (2, 100, 1000, False),  # P(X >= 2) = 0.005
        (3, 4, 2, True),  # P(X >= 3) = 0.31
        (100, 100, 4, False),
    ],
)
def test_an_accuracy_that_guessing_reaches_is_chance(right: int, photos: int, classes: int, expected: bool) -> None:
    """Photos and answers are spread evenly over the classes, or over a hundred of the thousand."""
    labels = torch.arange(photos) * classes // photos
    answers = torch.cat([labels[:right], (labels[right:] + 1) % classes])
    assert Scores(torch.eye(classes)[answers], labels).is_at_chance == expected


def test_a_network_that_always_says_the_same_is_at_chance() -> None:
    """95 of 100 photos are cats, and it says cat to all: its accuracy of 95 % is no better than a guess."""
    labels = torch.tensor([0] * 95 + [1] * 5)
    assert Scores(torch.eye(2)[torch.zeros(100, dtype=torch.long)], labels).is_at_chance
    assert not Scores(torch.eye(2)[labels], labels).is_at_chance


def test_photos_of_one_class_are_guessed_with_the_probability_of_one_class() -> None:
    labels = torch.zeros(20, dtype=torch.long)
    assert not Scores(torch.eye(4)[labels], labels).is_at_chance
    assert Scores(torch.eye(4)[torch.arange(20) % 4], labels).is_at_chance


def test_the_p_value_is_twice_the_smaller_one_of_two_tests() -> None:
    """scipy's t-test of all gains, and its signed-rank test of those that are not tiny."""
    gains = 0.3 + torch.randn(60, generator=seeded(), dtype=torch.float64)
    large = gains[gains.abs() > LEAST]
    assert len(large) < 60
    expected = 2 * min(
        stats.ttest_1samp(gains.numpy(), 0, alternative="greater").pvalue,
        stats.wilcoxon(large.numpy(), alternative="greater").pvalue,
    )
    assert trial(torch.full((60,), -1.0), gains).p_value == pytest.approx(expected, rel=1e-6)
    assert trial(torch.full((60,), -1.0), -gains.abs()).p_value == 1


def test_gains_of_nearly_all_photos_are_found_although_few_photos_lose_much() -> None:
    """98 photos gain 0.3 to 0.5 nats and two lose 6: the mean is 3 standard errors above 0, but the ranks are sure."""
    gains = torch.cat([torch.linspace(0.3, 0.5, 98), torch.tensor([-6.0, -6.0])])
    assert in_standard_errors(gains) < -stats.t.ppf(SURE, 99)
    assert trial(torch.full((100,), -2.0), gains).is_better


def test_large_gains_of_some_photos_are_found_although_most_lose_a_little() -> None:
    """70 photos lose 0.01 nats and 30 gain 9 to 10, as if logits were a hundred times too large."""
    gains = torch.cat([torch.full((70,), -0.01), torch.linspace(9, 10, 30)])
    assert stats.wilcoxon(gains.numpy(), alternative="greater").pvalue > SURE
    assert trial(torch.full((100,), -5.0), gains).is_better


@pytest.mark.parametrize(("share", "better"), [(0.9 * WORTH, False), (1.1 * WORTH, True)])
def test_a_loss_must_fall_by_a_tenth(share: float, better: bool) -> None:
    """All photos gain the same, so that it is no chance; a tenth of the loss of 2 nats is 0.2."""
    assert trial(torch.full((50,), -2.0), torch.full((50,), share * 2)).is_better == better


def test_gains_below_a_hundredth_do_not_count() -> None:
    """The network is right about all photos: a loss of 0.02 nats becomes 0.011, or all gain 0.005 and two lose 0.05."""
    assert not trial(torch.full((100,), -0.02), torch.full((100,), 0.009)).is_better
    assert trial(torch.full((100,), -0.02), torch.full((100,), 0.011)).is_better
    gains = torch.tensor([0.005] * 98 + [0.8, -0.05])
    assert stats.wilcoxon(gains.numpy(), alternative="greater").pvalue < SURE
    assert trial(torch.full((100,), -0.1), gains).p_value > 0.01


def test_gains_of_few_photos_may_be_chance() -> None:
    """Gains of 1 +- 1 nat: three photos may show them by chance, and thirty do not."""
    gains = 1 + torch.tensor([-1.0, 0.2, 1.1]).repeat(10)
    assert not trial(torch.full((3,), -3.0), gains[:3]).is_better
    assert trial(torch.full((30,), -3.0), gains).is_better
    assert trial(torch.full((1,), -3.0), gains[:1]).p_value == 1


def test_what_leaves_the_accuracy_at_chance_is_not_better() -> None:
    """A network that is entirely wrong gains from any preprocessing that makes it less certain."""
    assert not trial(torch.full((50,), -4.0), torch.full((50,), 2.0), at_chance=True).is_better


def test_an_alternative_is_hopeless_if_it_can_hardly_gain_a_tenth_of_the_loss() -> None:
    """Gains of 0 +- 1 nat of 2: with 400 photos, 0.2 nats are 4 standard errors away, and with 50 they are 1.4."""
    gains = torch.tensor([-1.0, 1.0]).repeat(200)
    assert trial(torch.full((400,), -2.0), gains).is_hopeless
    assert not trial(torch.full((50,), -2.0), gains[:50]).is_hopeless
    assert in_standard_errors(gains - 0.2) == pytest.approx(-4, rel=0.01)


def test_the_same_answers_are_hopeless() -> None:
    """Square photos are the same in proportion and squashed."""
    assert trial(torch.full((24,), -2.0), torch.zeros(24)).is_hopeless


@pytest.mark.parametrize(
    ("gains", "expected"),
    [([1.0, 3.0], 2.0), ([1.0], 0.0), ([0.0, 0.0], 0.0), ([2.0, 2.0], math.inf), ([-2.0, -2.0], -math.inf)],
)
def test_the_mean_in_standard_errors(gains: list[float], expected: float) -> None:
    """The mean of 1 and 3 is 2, their deviation the root of 2, and the standard error of the mean 1."""
    assert in_standard_errors(torch.tensor(gains)) == pytest.approx(expected)


def test_the_best_is_chosen() -> None:
    before, noise = torch.full((40,), -3.0), 0.1 * torch.randn(40, generator=seeded())
    trials = [trial(before, gain + noise, str(gain)) for gain in (0.1, 1.0, 2.0, 1.5)]
    chosen = choose(trials)
    assert chosen is not None and chosen.alternative.name == "2.0"
    assert choose(trials[:1]) is None, "0.1 nats are no tenth of 3"


def test_of_those_that_do_about_equally_well_the_most_usual_is_chosen() -> None:
    """The second one is better by half a standard error of the difference, and the third one by far more."""
    before, noise = torch.full((100,), -3.0), torch.randn(100, generator=seeded())
    noise -= noise.mean()
    usual = trial(before, torch.full((100,), 1.0), "usual")
    rare = trial(before, 1.05 + noise, "rare")
    best = trial(before, 1.5 + noise, "best")
    assert choose([usual, rare]) is usual
    assert choose([rare, usual]) is rare
    assert choose([usual, rare, best]) is best


def test_a_lower_loss_with_more_mistakes_is_not_better() -> None:
    """20 of 100 photos are misjudged entirely before, and 25 by a little afterwards."""
    labels = torch.zeros(100, dtype=torch.long)
    before = Scores(torch.cat([torch.tensor([[4.0, 0.0]] * 80), torch.tensor([[0.0, 40.0]] * 20)]), labels)
    after = Scores(torch.cat([torch.tensor([[4.0, 0.0]] * 75), torch.tensor([[0.0, 0.1]] * 25)]), labels)
    worse = Trial(Alternative("other", {}, SPEC), after, before)
    assert after.loss < 0.9 * before.loss and worse.p_value < SURE
    assert not worse.is_better


@pytest.mark.parametrize(("logit", "right"), [(0.0, True), (2.0, True), (-0.1, False)])
def test_a_label_is_right_if_it_is_found(logit: float, right: bool) -> None:
    """It is the most probable one of two in any case, at logits of -3 for the other."""
    scores = Scores(torch.tensor([[logit, -3.0]]), torch.tensor([0]), multi_label=True)
    assert scores.right.item() == right and Scores(scores.logits, scores.labels).right.item()


def test_of_two_that_are_alike_the_usual_one_is_chosen_although_it_is_less_sure() -> None:
    """It loses 3 nats of one photo, so that chance may be why it gains; of the others each gains more of one half."""
    before, gains = torch.full((30,), -1.0), torch.linspace(0.1, 0.4, 30)
    usual = torch.cat([gains[:-1] + 0.3 * (-1) ** torch.arange(29), torch.tensor([-3.0])])
    trials = [trial(before, usual, "usual"), trial(before, gains, "rare")]
    assert [each.is_better for each in trials] == [False, True] and all(each.is_lower for each in trials)
    chosen = choose(trials)
    assert chosen is not None and chosen.alternative.name == "usual"
    assert choose(trials[:1]) is None


def test_one_that_is_worse_than_before_is_not_chosen_however_unsure_that_is() -> None:
    """It gains more of each photo but one, of which it loses 60 nats: that is within one standard error of the best."""
    before, gains = torch.full((100,), -1.0), torch.linspace(0.1, 0.4, 100)
    usual = trial(before, torch.cat([torch.full((99,), 0.35), torch.tensor([-60.0])]), "usual")
    rare = trial(before, gains, "rare")
    assert in_standard_errors(rare.gains - usual.gains) <= 1
    assert choose([usual, rare]) is rare

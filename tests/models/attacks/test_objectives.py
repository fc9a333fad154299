"""Tests the losses that attacks minimise, and the lead by which a goal is reached."""

import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn.functional import cross_entropy

from models.attacks.objectives import dlr, dlr_towards, lead, log_odds, margin


def test_log_odds_of_known_probabilities() -> None:
    """Logits log 1, log 2 and log 5: the probability 5/8 has the odds 5/3, and 1/8 the odds 1/7."""
    logits = torch.tensor([[1.0, 2.0, 5.0]]).log().expand(2, 3)
    torch.testing.assert_close(log_odds(logits, torch.tensor([2, 0])), torch.tensor([5 / 3, 1 / 7]).log())


@given(seed=st.integers(0, 1000), label=st.integers(0, 4))
def test_log_odds_have_the_gradient_direction_of_cross_entropy(seed: int, label: int) -> None:
    """They are log(p / (1 - p)), and their gradient has the direction of that of the negative cross-entropy."""
    logits = torch.randn(1, 5, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).requires_grad_()
    labels = torch.tensor([label])
    odds = log_odds(logits, labels).sum()
    probability = logits.softmax(dim=1)[0, label]
    torch.testing.assert_close(odds, (probability / (1 - probability)).log())
    (ours,) = torch.autograd.grad(odds, logits, retain_graph=True)
    (theirs,) = torch.autograd.grad(-cross_entropy(logits, labels), logits)
    torch.testing.assert_close(ours / ours.norm(), theirs / theirs.norm())


def test_the_gradient_of_log_odds_does_not_vanish_at_probability_1() -> None:
    """At logits 200 and 0 the gradient of cross-entropy is 0, so an attack on it would not move."""
    logits = torch.tensor([[200.0, 0.0, 0.0]], requires_grad=True)
    (ours,) = torch.autograd.grad(log_odds(logits, torch.tensor([0])).sum(), logits)
    (theirs,) = torch.autograd.grad(cross_entropy(logits, torch.tensor([0])), logits)
    assert theirs.abs().max() == 0
    torch.testing.assert_close(ours, torch.tensor([[1.0, -0.5, -0.5]]))


def test_the_margin_is_the_logit_minus_the_best_other() -> None:
    """It is positive where the label is the predicted class."""
    logits = torch.tensor([[3.0, 1.0, 2.0], [3.0, 1.0, 2.0]])
    assert margin(logits, torch.tensor([0, 1])).tolist() == [1.0, -2.0]


def test_the_lead_is_the_margin_of_the_goal() -> None:
    """Targeted it is the label minus the best other, untargeted the opposite; a tie is a lead of 0."""
    logits, labels = torch.tensor([[3.0, 1.0, 2.0], [1.0, 1.0, 0.0]]), torch.tensor([0, 0])
    assert lead(logits, labels, targeted=True).tolist() == [1.0, 0.0]
    assert lead(logits, labels, targeted=False).tolist() == [-1.0, 0.0]


def test_the_difference_of_logits_ratio_of_known_logits() -> None:
    """(z_y - best other) / (z1 - z3) of 5, 4, 2, 1 is 1/3 for class 0; scaling and shifting do not change it."""
    logits, labels = torch.tensor([[5.0, 4.0, 2.0, 1.0]]), torch.tensor([0])
    torch.testing.assert_close(dlr(logits, labels), torch.tensor([1 / 3]))
    torch.testing.assert_close(dlr(7 * logits - 30, labels), torch.tensor([1 / 3]))


def test_the_targeted_ratio_of_known_logits() -> None:
    """(z_y - z_t) / (z1 - (z3 + z4) / 2) of 5, 4, 2, 1 towards the second class is 1 / 3.5."""
    score = dlr_towards(torch.tensor([1]))
    torch.testing.assert_close(score(torch.tensor([[5.0, 4.0, 2.0, 1.0]]), torch.tensor([0])), torch.tensor([1 / 3.5]))


def test_with_two_classes_the_ratios_are_the_margin() -> None:
    """There is no third logit to divide by."""
    logits, labels = torch.tensor([[3.0, 1.0]]), torch.tensor([0])
    assert dlr(logits, labels).tolist() == dlr_towards(torch.tensor([1]))(logits, labels).tolist() == [2.0]


def test_nan_logits_give_no_lead() -> None:
    logits = torch.full((1, 3), torch.nan)
    for targeted in (True, False):
        assert not (lead(logits, torch.tensor([0]), targeted=targeted) > 0).any()

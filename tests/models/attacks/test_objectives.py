"""What attacks minimise and when they have won."""

import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn.functional import cross_entropy

from models.attacks.objectives import SETTLED, away_from, fooled, log_odds, towards


def test_log_odds_by_hand() -> None:
    """Odds of 1 : 2 : 5 and 8 in all: 5/8 has the odds 5/3, 1/8 has 1/7."""
    logits = torch.tensor([[1.0, 2.0, 5.0]]).log().expand(2, 3)
    torch.testing.assert_close(log_odds(logits, torch.tensor([2, 0])), torch.tensor([5 / 3, 1 / 7]).log())


@given(seed=st.integers(0, 1000), label=st.integers(0, 4))
def test_log_odds_and_their_direction(seed: int, label: int) -> None:
    """log p / (1 - p), and a gradient that points where the cross-entropy's does."""
    logits = torch.randn(1, 5, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).requires_grad_()
    labels = torch.tensor([label])
    odds = log_odds(logits, labels).sum()
    probability = logits.softmax(dim=1)[0, label]
    torch.testing.assert_close(odds, (probability / (1 - probability)).log())
    (ours,) = torch.autograd.grad(odds, logits, retain_graph=True)
    (theirs,) = torch.autograd.grad(-cross_entropy(logits, labels), logits)
    torch.testing.assert_close(ours / ours.norm(), theirs / theirs.norm())


def test_the_gradient_does_not_vanish_where_p_is_one() -> None:
    """The cross-entropy's does, at 200 to 0: an attack on it would stand still."""
    logits = torch.tensor([[200.0, 0.0, 0.0]], requires_grad=True)
    (ours,) = torch.autograd.grad(away_from(torch.tensor([0]))(logits).sum(), logits)
    (theirs,) = torch.autograd.grad(cross_entropy(logits, torch.tensor([0])), logits)
    assert theirs.abs().max() == 0
    torch.testing.assert_close(ours, torch.tensor([[1.0, -0.5, -0.5]]))


def test_targeted_is_the_opposite() -> None:
    logits, labels = torch.randn(4, 3, generator=torch.Generator().manual_seed(0)), torch.tensor([0, 1, 2, 1])
    assert torch.equal(towards(labels)(logits), -away_from(labels)(logits))


def test_fooled_by_hand() -> None:
    """Targeted: the label must lead; untargeted: another must. A lead within rounding's reach is none."""
    logits = torch.tensor([[3.0, 1.0], [1.0, 3.0], [1.0, 1.0 + SETTLED / 2], [1.0, 1.0 + 2 * SETTLED]])
    labels = torch.zeros(4, dtype=torch.int64)
    assert fooled(logits, labels, targeted=False).tolist() == [False, True, False, True]
    assert fooled(logits, labels, targeted=True).tolist() == [True, False, False, False]


def test_nan_fools_nobody() -> None:
    logits = torch.full((1, 3), torch.nan)
    for targeted in (True, False):
        assert not fooled(logits, torch.tensor([0]), targeted=targeted)

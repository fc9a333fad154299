import pytest

from training.prepare import check_batch_shares
from training.recipe import BadRecipe


def test_batches_that_processes_cannot_share_evenly_are_refused() -> None:
    """Three processes would have 22, 21 and 21 of 64 photos, but their gradients are averaged with equal weights."""
    check_batch_shares(64, 10, 4)
    with pytest.raises(BadRecipe, match="3 processes cannot share batches of 64 photos evenly"):
        check_batch_shares(64, 10, 3)
    with pytest.raises(BadRecipe, match=r"too few photos \(3\) for 4 processes"):
        check_batch_shares(64, 3, 4)

import pytest

from training.prepare import check_batch_shares
from training.recipe import BadRecipe


def test_processes_that_would_count_differently_are_refused() -> None:
    """Of 64 photos three processes have 22, 21 and 21, whose gradients would be averaged as equals."""
    check_batch_shares(64, 10, 4)
    with pytest.raises(BadRecipe, match="3 processes cannot share batches of 64 photos evenly"):
        check_batch_shares(64, 10, 3)
    with pytest.raises(BadRecipe, match=r"too few photos \(3\) for 4 processes"):
        check_batch_shares(64, 3, 4)

import pytest

from training.data.loading.plan import Plan
from training.recipe import Recipe

PLAN = Plan(Recipe(epochs=3, full_size_epochs=1, batch_size=4), 11, 16, 32)


def test_an_epoch_has_only_whole_batches() -> None:
    """11 photos in batches of 4 are two batches per epoch, with three photos left out; three epochs have six steps."""
    assert (PLAN.steps_per_epoch, PLAN.steps) == (2, 6)
    assert [len(batch) for batch in PLAN.batches(0)] == [4] * 6


@pytest.mark.parametrize(("batch_size", "photos", "steps"), [(1, 11, 11), (3, 11, 3), (11, 11, 1), (64, 11, 1)])
def test_fewer_photos_than_a_batch_are_one_batch(batch_size: int, photos: int, steps: int) -> None:
    assert Plan(Recipe(batch_size=batch_size), photos, 16, 32).steps_per_epoch == steps


def test_no_photo_is_twice_in_an_epoch_and_epochs_have_different_orders() -> None:
    epochs = [[index for step in (2 * epoch, 2 * epoch + 1) for _, _, index in PLAN.batch(step)] for epoch in range(3)]
    assert all(len(set(epoch)) == 8 for epoch in epochs)
    assert len({tuple(epoch) for epoch in epochs}) == 3


def test_the_last_epoch_has_the_full_size() -> None:
    assert [PLAN.size(epoch) for epoch in range(3)] == [16, 16, 32]
    assert {key[:2] for batch in PLAN.batches(4) for key in batch} == {(32, 2)}


def test_three_processes_share_the_photos_of_a_batch() -> None:
    shares = [list(PLAN.batches(1, rank=rank, ranks=3)) for rank in range(3)]
    for step in range(1, 6):
        parts = [share[step - 1] for share in shares]
        assert sorted(key for keys in parts for key in keys) == sorted(PLAN.batch(step))


def test_the_remaining_cost_by_hand() -> None:
    """Steps 3, 4 and 5 remain, with four photos each: one at 16 pixels and two at 32."""
    assert PLAN.cost(3) == pytest.approx(4 * (16**2 + 2 * 32**2) / 1e6)
    assert PLAN.cost(6) == 0
    assert PLAN.cost(0) == pytest.approx(4 * (4 * 16**2 + 2 * 32**2) / 1e6)

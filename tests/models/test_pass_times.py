"""Tests what is learnt from the times of batches, with times that the tests make up."""

import random
from collections.abc import Callable

import pytest
import torch

from models.classifier import Classifier
from models.pass_times import (
    APART_ROWS,
    MEASURE_S,
    QUERY_ROWS,
    REVISIT,
    SAMPLED,
    TRIALS,
    BatchTimes,
    PassTimes,
    answer_batch,
    most_rows,
    times_of,
)
from models.query import Query
from tests.networks import Recording


def measured(seconds: Callable[[int], float], most: int = 32) -> BatchTimes:
    times = BatchTimes()
    times.measure(seconds, most)
    return times


def no_gain(rows: int) -> float:
    """A hundredth of a second per row, whatever the size."""
    return 0.01 * rows


def gain_up_to_4(rows: int) -> float:
    """A thousandth of a second per row, and 0.3 more for every 100 rows or part of 4 rows."""
    return 0.001 * (rows + 3 * -(-rows // 4))


def one_for_all(rows: int) -> float:
    """A batch takes as long as a row, as on a large GPU."""
    return 0.001


@pytest.mark.parametrize(
    ("seconds", "most", "knee"),
    [(no_gain, 32, 1), (gain_up_to_4, 32, 4), (one_for_all, 32, 32), (one_for_all, 24, 16), (gain_up_to_4, 2, 2)],
)
def test_the_knee_is_where_more_rows_bring_no_more_per_second(
    seconds: Callable[[int], float], most: int, knee: int
) -> None:
    assert measured(seconds, most).knee == knee


def test_the_seconds_between_the_measured_sizes_are_interpolated() -> None:
    """Of 1, 2, 4 and 8 rows, which take 4, 5, 7 and 14 ms: 3 rows are between 2 and 4, and 12 are like 8 and a half."""
    times = measured(gain_up_to_4)
    assert times.by_rows == pytest.approx({1: 0.004, 2: 0.005, 4: 0.007, 8: 0.014})
    assert times.seconds(3) == pytest.approx(0.006)
    assert times.seconds(12) == pytest.approx(0.021)
    assert times.row_seconds == pytest.approx(0.00175)


def test_nothing_is_known_before_the_first_measurement() -> None:
    times = BatchTimes()
    times.observe(4, 0.1)
    assert (times.knee, times.seconds(4), times.row_seconds, times.by_rows) == (None, None, None, {})


def test_the_measurement_keeps_to_its_time() -> None:
    """Where rows are slow, a single one is measured, and two are tried in the first batches of the service."""
    runs: list[int] = []

    def slow(rows: int) -> float:
        runs.append(rows)
        return MEASURE_S * rows

    times = measured(slow)
    assert (runs, times.knee) == ([1], 2)


def test_a_batch_that_was_held_up_does_not_end_the_measurement() -> None:
    """The first two batches of 2 rows take ten times as long; the third one counts."""
    calls: list[int] = []

    def disturbed(rows: int) -> float:
        calls.append(rows)
        return gain_up_to_4(rows) * (10 if calls in ([1, 1, 2], [1, 1, 2, 2]) else 1)

    assert measured(disturbed).knee == 4


def test_memory_that_is_used_first_does_not_count() -> None:
    """A batch takes three times as long if none before it had as many rows."""
    largest = 1

    def cold(rows: int) -> float:
        nonlocal largest
        first, largest = rows > largest, max(rows, largest)
        return 4 * gain_up_to_4(rows) * (3 if first else 1)

    times = measured(cold)
    assert [times.by_rows[rows] for rows in (1, 2, 4)] == pytest.approx([4 * gain_up_to_4(rows) for rows in (1, 2, 4)])


def test_a_size_that_was_misjudged_is_tried_again() -> None:
    """4 rows were taken for slow; TRIALS of REVISIT * TRIALS batches have 4 rows and put it right; then 8 are tried."""
    times = measured(lambda rows: gain_up_to_4(rows) * (3 if rows == 4 else 1))
    assert times.knee == 2
    for _ in range(REVISIT * TRIALS + TRIALS):
        times.observe(times.fill or 0, gain_up_to_4(times.fill or 0))
    assert times.knee == 4


def test_batches_far_larger_than_the_known_sizes_leave_no_gap_between_these() -> None:
    """A network of 0.1 s a row is measured with one row; the four rows of a query apart come before any of two."""
    times = measured(lambda rows: 0.1 * rows)
    assert list(times.by_rows) == [1]
    for _ in range(3 * REVISIT):
        times.observe(4, 0.4)
        assert times.fill in (1, 2)
    assert [times.seconds(rows) for rows in (1, 2, 3, 4)] == pytest.approx([0.1, 0.2, 0.3, 0.4])
    for _ in range(TRIALS):
        times.observe(2, 0.2)
    assert list(times.by_rows) == [1, 2]
    for _ in range(3 * TRIALS):
        times.observe(4, 0.4)
    assert [times.seconds(rows) for rows in (1, 2, 3, 4)] == pytest.approx([0.1, 0.2, 0.3, 0.4])


def test_a_smaller_size_that_was_misjudged_is_tried_again() -> None:
    """4 rows are as good as 8, but one busy moment made them look slower, and all batches since then had 8 rows.

    The machine is twice as slow by now; the trials are judged by what larger batches take at the same time.
    """
    times = measured(lambda rows: 0.002 * max(4, rows) * (1.3 if rows == 4 else 1))
    assert times.knee == 8
    for _ in range(2 * REVISIT * TRIALS):
        times.observe(times.fill or 0, 0.004 * max(4, times.fill or 0))
    assert times.knee == 4


def test_batches_are_filled_to_the_knee_and_now_and_then_twice_or_half_as_much() -> None:
    times = measured(gain_up_to_4)
    sizes = []
    for _ in range(2 * REVISIT):
        sizes.append(times.fill)
        times.observe(1, gain_up_to_4(1))
    half = REVISIT // 2
    assert sizes == ([4] * (half - 1) + [2] + [4] * (half - 1) + [8]) * 2
    assert measured(gain_up_to_4, most=4).fill == 4
    assert BatchTimes().fill is None


def test_a_larger_size_is_tried_while_the_service_runs() -> None:
    """Two rows were measured and gain; four are judged after TRIALS batches, and eight, which do not gain, after more.

    One of the batches is held up, and the median leaves it out.
    """
    times = measured(lambda rows: 11 * gain_up_to_4(rows))
    assert (max(times.by_rows), times.knee) == (2, 4)
    for rows in (4, 8):
        for trial in range(TRIALS):
            times.observe(rows, 11 * gain_up_to_4(rows) * (5 if trial == 0 else 1))
    assert max(times.by_rows) == 8
    assert times.knee == 4
    assert times.seconds(4) == pytest.approx(0.077)


@pytest.mark.parametrize("factor", [0.5, 2.0])
def test_a_change_by_two_is_followed_within_some_tens_of_batches(factor: float) -> None:
    """After 40 batches of four rows their time is known to 5 %, and that of sizes that were not asked to 10 %."""
    times = measured(gain_up_to_4)
    for _ in range(40):
        times.observe(4, factor * gain_up_to_4(4))
    assert times.seconds(4) == pytest.approx(factor * gain_up_to_4(4), rel=0.05)
    assert times.seconds(1) == pytest.approx(factor * gain_up_to_4(1), rel=0.1)


def test_the_knee_moves_where_another_executor_gains_otherwise() -> None:
    """From then on a row takes as long as two, and beyond two nothing is gained; batches are filled to the knee."""
    times = measured(gain_up_to_4)
    for _ in range(500):
        for rows in (1, 2, times.fill or 1):
            times.observe(rows, 0.002 * max(2, rows))
    assert times.knee == 2


def test_noise_does_not_move_the_knee() -> None:
    """Times vary by a tenth, and every twentieth batch takes five times as long."""
    times, noise = measured(gain_up_to_4), random.Random(0)
    knees = set()
    for _ in range(2000):
        rows = noise.choice([1, 2, 3, 4, 4, 4])
        times.observe(rows, times_with_noise(rows, noise))
        knees.add(times.knee)
    assert knees == {4}
    assert times.seconds(4) == pytest.approx(gain_up_to_4(4), rel=0.15)


def times_with_noise(rows: int, noise: random.Random) -> float:
    held_up = 5 if noise.random() < 0.05 else 1
    return gain_up_to_4(rows) * noise.uniform(0.9, 1.1) * held_up


def test_a_classifier_learns_from_its_batches(tiny: Classifier) -> None:
    """Both kinds of pass are measured, and an answered batch changes the estimates of its own kind alone."""
    tiny.pass_times.measure(tiny, size=(32, 32), most=4)
    forward, gradients = tiny.pass_times.forward.by_rows, tiny.pass_times.gradients.by_rows
    assert 1 in forward and 1 in gradients
    (answer,) = answer_batch(tiny, [Query(torch.rand(1, 3, 32, 32))])
    assert torch.isfinite(answer.logits).all()
    assert tiny.pass_times.forward.by_rows != forward
    assert tiny.pass_times.gradients.by_rows == gradients


def test_a_batch_that_reads_a_layer_is_not_learnt_from(tiny: Classifier) -> None:
    tiny.pass_times.measure(tiny, size=(32, 32), most=4)
    before = tiny.pass_times.forward.by_rows
    answer_batch(tiny, [Query(torch.rand(1, 3, 32, 32), layer="0")])
    assert tiny.pass_times.forward.by_rows == before


def test_a_stand_in_carries_no_times(tiny: Classifier) -> None:
    assert times_of(Recording(tiny)) is None
    assert times_of(tiny) is tiny.pass_times


def test_a_query_apart_is_split_at_a_fixed_number_of_rows(tiny: Classifier) -> None:
    """Whatever was measured: another start of the service may measure something else, and must give the same bytes."""
    query, apart = Query(torch.rand(9, 3, 32, 32)), Query(torch.rand(9, 3, 32, 32), apart=True)
    times = PassTimes(torch.device("cpu"))
    assert (most_rows(query, times), most_rows(apart, times), most_rows(apart, None)) == (None, APART_ROWS, APART_ROWS)
    times.forward.measure(one_for_all, 32)
    assert (most_rows(query, times), most_rows(apart, times)) == (32, APART_ROWS)


def test_the_rows_of_a_query_pay_off_in_both_kinds_of_pass() -> None:
    times = PassTimes(torch.device("cpu"))
    assert times.query_rows == QUERY_ROWS
    times.forward.measure(one_for_all, 32)
    times.gradients.measure(gain_up_to_8, 32)
    assert times.query_rows == 8


def gain_up_to_8(rows: int) -> float:
    """Up to 8 rows take as long as one, and every 8 more as long again."""
    return 0.001 * -(-rows // 8)


def test_on_a_device_that_does_not_repeat_its_bytes_the_measurement_decides() -> None:
    times = PassTimes(torch.device("cuda"))
    times.forward.measure(one_for_all, 32)
    assert most_rows(Query(torch.rand(9, 3, 32, 32), apart=True), times) == 32


def test_on_an_accelerator_few_batches_wait_for_the_clock(tiny: Classifier, monkeypatch: pytest.MonkeyPatch) -> None:
    """The device is waited for before and after one of SAMPLED batches."""
    waits: list[object] = []
    monkeypatch.setattr(torch.accelerator, "synchronize", waits.append)
    times = PassTimes(torch.device("cuda"))
    for _ in range(2 * SAMPLED):
        times.answer(tiny, [Query(torch.rand(1, 3, 32, 32))])
    assert len(waits) == 4

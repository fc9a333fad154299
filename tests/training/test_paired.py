import math
from fractions import Fraction

import pytest

from training.paired import PairedCounts, mcnemar


@pytest.mark.parametrize(
    ("only_first", "only_second", "expected"),
    [
        (1, 9, 2 * (1 + 10) / 2**10),  # no photo or one of ten: 0.021484375
        (9, 1, 2 * (1 + 10) / 2**10),
        (0, 5, 2 / 2**5),
        (2, 6, 2 * (1 + 8 + 28) / 2**8),
        (3, 4, 1.0),
        (5, 5, 1.0),  # twice the probability of five or less would be more than 1
        (0, 1, 1.0),
        (0, 0, 1.0),
    ],
)
def test_p_values_by_hand(only_first: int, only_second: int, expected: float) -> None:
    """Twice the sum of binomial coefficients over the number of all outcomes, and at most 1."""
    assert mcnemar(only_first, only_second) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(("fewer", "more"), [(12, 40), (180, 260), (480, 700), (1400, 1600)])
def test_p_values_agree_with_whole_numbers(fewer: int, more: int) -> None:
    """The same sum in exact arithmetic; the largest of its numbers has 900 digits."""
    total = fewer + more
    exact = Fraction(2 * sum(math.comb(total, count) for count in range(fewer + 1)), 2**total)
    assert mcnemar(fewer, more) == pytest.approx(float(exact), rel=1e-10)


@pytest.mark.parametrize(("fewer", "more"), [(50_000, 51_000), (499_000, 501_000), (0, 900), (30, 700)])
def test_p_values_of_large_counts_agree_with_scipy(fewer: int, more: int) -> None:
    stats = pytest.importorskip("scipy.stats")
    assert mcnemar(fewer, more) == pytest.approx(stats.binomtest(fewer, fewer + more).pvalue, rel=1e-8)


def test_a_p_value_below_the_smallest_float_is_0() -> None:
    assert mcnemar(0, 5000) == 0


def test_photos_are_counted() -> None:
    pairs = [(True, True)] * 4 + [(True, False)] * 3 + [(False, True)] * 2 + [(False, False)]
    counts = PairedCounts.of(pairs)
    assert counts == PairedCounts(both=4, only_first=3, only_second=2, neither=1)
    assert counts.photos == 10 and counts.difference == pytest.approx(0.1)


@pytest.mark.parametrize(
    ("counts", "interval"),
    [
        (PairedCounts(36, 12, 2, 0), (0.0569, 0.3404)),  # Newcombe 1998
        (PairedCounts(14, 5, 0, 22), (0.0115, 0.2265)),  # Altman et al. 2000, Statistics with Confidence, table 6.2
        (PairedCounts(59, 6, 16, 80), (-0.1186, -0.0046)),  # Cavo et al. 2012, by the R package contingencytables
    ],
)
def test_intervals_of_the_literature(counts: PairedCounts, interval: tuple[float, float]) -> None:
    assert counts.interval == pytest.approx(interval, abs=6e-5)


def test_an_interval_changes_its_sign_if_the_classifiers_change_places() -> None:
    low, high = PairedCounts(80, 9, 4, 7).interval
    assert PairedCounts(80, 4, 9, 7).interval == pytest.approx((-high, -low))


@pytest.mark.parametrize(
    "counts",
    [PairedCounts(7, 0, 0, 0), PairedCounts(0, 0, 0, 7), PairedCounts(90, 0, 0, 10), PairedCounts(0, 1, 0, 0)],
)
def test_extreme_counts_have_an_interval(counts: PairedCounts) -> None:
    """Also a classifier beside itself: finitely many photos leave room for a difference."""
    low, high = counts.interval
    assert -1 <= low <= counts.difference <= high <= 1 and low < high


def test_json_has_the_counts_and_what_follows() -> None:
    fields = PairedCounts(90, 9, 1, 0).to_json()
    assert fields["p_value"] == pytest.approx(0.021484375) and fields["difference"] == 0.08
    assert fields["only_first"] == 9 and len(fields["interval"]) == 2

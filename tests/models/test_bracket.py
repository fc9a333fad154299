"""Tests the search for the least strength at which a function becomes positive."""

import math
from collections.abc import Callable
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.bracket import Bracket

PRECISION = 0.01


def search(value: Callable[[float], float], start: float = 1.0, count: int = 1) -> tuple[Bracket, int]:
    """Search for the crossing of a function of a strength, and return the bracket and the number of queries."""
    bracket, strengths, queries = Bracket(value(0.0), PRECISION), [start], 0
    while strengths and queries < 60:
        bracket.narrow(strengths, [value(strength) for strength in strengths])
        strengths, queries = bracket.next(count), queries + 1
    return bracket, queries


@pytest.mark.parametrize("count", [1, 2, 4])
@given(crossing=st.floats(0.3, 1.6), slope=st.floats(0.1, 100))
def test_a_line_is_solved_in_a_few_queries(count: int, crossing: float, slope: float) -> None:
    """From strength 1, on either side of the crossing, which is then known within the precision."""
    bracket, queries = search(lambda strength: slope * (strength - crossing), count=count)
    assert crossing < bracket.high <= crossing * (1 + PRECISION)
    assert queries <= 3


@pytest.mark.parametrize("count", [1, 3])
@given(crossing=st.floats(0.05, 50), power=st.floats(0.6, 5))
def test_a_curve_is_solved_to_the_precision(count: int, crossing: float, power: float) -> None:
    """The function is a power of the strength, which a line follows badly."""
    bracket, queries = search(lambda strength: strength**power - crossing**power, count=count)
    assert crossing < bracket.high <= crossing * (1 + 2 * PRECISION)
    assert queries < 40


def test_a_step_is_bisected() -> None:
    """Where the values say nothing of the distance, the ends close in on the step."""
    bracket, queries = search(lambda strength: 1.0 if strength > 0.37 else -1.0)
    assert 0.37 < bracket.high <= 0.37 * (1 + PRECISION)
    assert queries <= 12


def test_a_function_that_never_succeeds_is_tried_ever_further() -> None:
    """Each strength is larger than the last, up to twice as large, and there is no success."""
    bracket = Bracket(-1.0, PRECISION)
    bracket.narrow([1.0], [-1.0])
    tried = [1.0]
    for _ in range(12):
        tried += bracket.next(1)
        bracket.narrow(tried[-1:], [-1.0])
    assert all(1.0 < after / before <= 2.0 for before, after in pairwise(tried))
    assert tried[-1] > 100 and math.isinf(bracket.high)


def test_values_that_contradict_each_other_leave_a_bracket() -> None:
    """Success at 1, failure at 1.1, which is no smaller strength and is ignored."""
    bracket = Bracket(-1.0, PRECISION)
    bracket.narrow([1.0, 1.1], [0.5, -0.1])
    assert (bracket.low, bracket.high) == (0.0, 1.0)
    bracket.narrow([0.7, 0.8], [-0.1, 0.2])
    assert (bracket.low, bracket.high) == (0.7, 0.8)

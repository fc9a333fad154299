"""Tests that logits which are no numbers become errors, and that their network is reported."""

import math

import pytest
import torch

from app.engine.engine import Engine
from app.engine.outputs import NotFinite, OutputCheck
from models.query import Answer, Network, Query, Task


class Constant:
    """A network whose logits are the values that its queries contain."""

    def answer(self, queries: list[Query]) -> list[Answer]:
        return [Answer(query.pixels[:, :, 0, 0]) for query in queries]


def answer(*values: float) -> Answer:
    return Answer(torch.tensor([values]))


def look(value: float) -> Task[float]:
    reply = yield Query(torch.full((1, 3, 2, 2), value))
    assert isinstance(reply, Answer)
    return float(reply.logits[0, 0])


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_only_answers_that_are_no_numbers_become_errors(value: float) -> None:
    reports: list[int] = []
    check, network, failed = OutputCheck(lambda _, count: reports.append(count)), Constant(), KeyError("another error")
    good = answer(1.0, -2.0)
    first, second, third = check.check(network, [good, answer(1.0, value), failed])
    assert first is good and isinstance(second, NotFinite) and third is failed
    assert reports == [1]


def test_batches_in_a_row_are_counted_for_each_network() -> None:
    reports: list[tuple[Network, int]] = []
    check, one, other = OutputCheck(lambda network, count: reports.append((network, count))), Constant(), Constant()
    for network, value in [(one, math.nan), (one, math.nan), (other, math.nan), (one, 0.0), (one, math.nan)]:
        check.check(network, [answer(value)])
    assert reports == [(one, 1), (one, 2), (other, 1), (one, 1)]


def test_a_batch_of_errors_alone_says_nothing() -> None:
    reports: list[int] = []
    check, network = OutputCheck(lambda _, count: reports.append(count)), Constant()
    check.check(network, [answer(math.nan)])
    failed = KeyError()
    assert check.check(network, [failed]) == [failed]
    check.check(network, [answer(math.nan)])
    assert reports == [1, 2]


def test_in_the_engine_only_the_query_with_such_logits_fails() -> None:
    reports: list[int] = []
    engine = Engine(on_not_finite=lambda _, count: reports.append(count))
    futures = [engine.submit(look(value), Constant()) for value in (1.0, math.nan, 3.0)]
    assert futures[0].result(30) == 1.0 and futures[2].result(30) == 3.0
    with pytest.raises(NotFinite, match="ask another model"):
        futures[1].result(30)
    assert reports == [1]
    engine.close(timeout_s=30)

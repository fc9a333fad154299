"""What is said of measurements whose figures are known: one broken promise at a time."""

import math
from dataclasses import replace

import pytest

from soak.load.judgement import Measured, judge, quantile
from soak.traffic.client import End, Exchange
from soak.traffic.connection import Answer
from soak.traffic.requests import Request

CLASSIFY, ATTACK = Request("/classify", b""), Request("/adversarial", b"", deadline_s=5.0)


def exchange(
    request: Request = CLASSIFY,
    *,
    status: int | None = 200,
    seconds: float = 1.0,
    end: End = End.answered,
    retry_after: str | None = "1",
    is_retry: bool = False,
    body: bytes = b"",
) -> Exchange:
    headers = {} if retry_after is None else {"retry-after": retry_after}
    answer = None if status is None else Answer(status, headers, body)
    return Exchange(request, 0.0, seconds, end, answer, is_retry)


GOOD = Measured(
    at_capacity=[exchange(seconds=1.0), exchange(ATTACK)],
    overloaded=[
        exchange(seconds=2.0),
        exchange(ATTACK, seconds=5.5),
        exchange(status=503),
        exchange(is_retry=True),
        exchange(status=None, end=End.left),
    ],
    documented={"/classify": {200, 503}, "/adversarial": {200, 503, 504}},
    computed_s={"/classify": 6.0, "/adversarial": 2.0},
    deadline_s=60.0,
    memory_limit=1000,
    memory_before=500,
    memory_peak=1000,
    memory_after=550,
    left_over={"mirage_tasks": 0},
)


def test_kept_promises_are_no_problems() -> None:
    outcome = judge(GOOD)
    assert outcome.problems == []
    assert outcome.figures["classify_p99_ratio"] == 2.0
    assert outcome.figures["share_of_network_percent/adversarial"] == 25.0
    assert outcome.figures["obedient_retries_admitted_percent"] == 100.0
    assert (outcome.figures["requests"], outcome.figures["refused"], outcome.figures["left"]) == (5, 1, 1)


@pytest.mark.parametrize(
    ("worse", "sentence"),
    [
        (exchange(status=500), "were answered with 500"),
        (exchange(status=504), "/classify were answered with 504"),
        (exchange(status=422), "were answered with 422"),
        (exchange(status=None, end=End.lost), "ended so: lost"),
        (exchange(status=None, end=End.hung), "ended so: hung"),
        (exchange(status=503, retry_after=None), "refusals have Retry-After, but 1 have none"),
        (exchange(body=b'event: problem\ndata: {"status":500}\n\n'), "503 or 504, but 1 did not"),
        (exchange(seconds=2.1), "p99 of /classify"),
        (exchange(ATTACK, seconds=15.1), "after their own deadline, but one took 10.1 s"),
        (exchange(seconds=62.1), "after the service's deadline, but one took 2.1 s"),
        (exchange(status=503, is_retry=True), "but 1 of 2 did"),
    ],
)
def test_each_broken_promise_is_a_problem(worse: Exchange, sentence: str) -> None:
    problems = judge(replace(GOOD, overloaded=[*GOOD.overloaded, worse])).problems
    assert any(sentence in problem for problem in problems), problems


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"at_capacity": [*GOOD.at_capacity, exchange(status=503)]}, "nobody is refused at capacity, but 1 were"),
        ({"computed_s": {"/classify": 3.1, "/adversarial": 1.0}}, "they had 24 %"),
        ({"memory_peak": 1001}, "MIRAGE_MEMORY at most"),
        ({"memory_after": 551}, "its memory from before"),
        ({"left_over": {"mirage_tasks": 1.0}}, "mirage_tasks is 1"),
    ],
)
def test_each_broken_promise_of_the_whole_is_a_problem(change: dict[str, object], sentence: str) -> None:
    (problem,) = judge(replace(GOOD, **change)).problems  # type: ignore[arg-type]
    assert sentence in problem


def test_a_stream_may_end_at_its_deadline() -> None:
    late = exchange(body=b'event: problem\ndata: {"status":504}\n\n')
    outcome = judge(replace(GOOD, overloaded=[*GOOD.overloaded, late]))
    assert outcome.problems == [] and outcome.figures["event_streams_with_a_problem"] == 1


def test_quantiles_are_those_of_the_nearest_rank() -> None:
    assert [quantile(range(1, 101), fraction) for fraction in (0.0, 0.5, 0.99, 1.0)] == [1, 50, 99, 100]
    assert quantile([3.0], 0.99) == 3.0
    assert math.isnan(quantile([], 0.5))

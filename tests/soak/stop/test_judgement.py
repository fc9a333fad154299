"""What is said of stops whose course is known: one broken promise at a time."""

from dataclasses import replace

import pytest

from soak.outcome import Outcome
from soak.stop.judgement import Probe, Stop, judge_hurry, judge_kill, judge_stop
from soak.traffic.client import End, Exchange
from soak.traffic.connection import Answer
from soak.traffic.requests import Request


def exchange(begun: float, status: int | None = 200, *, end: End = End.answered, retry: str = "5") -> Exchange:
    answer = None if status is None else Answer(status, {"retry-after": retry} if retry else {}, b"")
    return Exchange(Request("/classify", b""), begun, 0.5, end, answer)


GOOD = Stop(
    signalled_at=100.0,
    ended_at=120.0,
    exit_code=0,
    probes=[Probe(99.0, 200), Probe(100.1, 503), Probe(104.9, 503), Probe(105.1, None)],
    exchanges=[exchange(99.0), exchange(101.0), exchange(104.0, 503), exchange(105.0, None, end=End.lost)],
    drain_s=5.0,
    stop_s=25.0,
)
"""The last request was sent when nobody could tell whether the port was still open."""


def test_kept_promises_are_no_problems() -> None:
    outcome = judge_stop(GOOD)
    assert outcome.problems == []
    assert outcome.figures["unready_after_s"] == 0.1
    assert outcome.figures["port_open_for_s"] == 4.9
    assert outcome.figures["served_while_draining"] == 1
    assert outcome.figures["unanswered_after_the_port_was_closed"] == 1


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"probes": [Probe(104.9, 200), Probe(105.0, None)]}, "503 while the port is still open"),
        ({"probes": [Probe(100.1, 503), Probe(101.0, 503), Probe(101.1, None)]}, "it was open for 1.0 s"),
        ({"exchanges": [exchange(99.0)]}, "but none was"),
        ({"exchanges": [exchange(101.0), exchange(102.0, None, end=End.lost)]}, "1 were (/classify)"),
        ({"exchanges": [exchange(101.0), exchange(102.0, None, end=End.hung)]}, "1 were (/classify)"),
        ({"exchanges": [exchange(101.0), exchange(102.0, 500)]}, "answers of [500]"),
        ({"exchanges": [exchange(101.0), exchange(102.0, 503, retry="")]}, "1 have none"),
        ({"ended_at": 125.1}, "it took 25.1 s"),
        ({"exit_code": None}, "the exit code is 0, but it is None"),
        ({"exit_code": 1}, "the exit code is 0, but it is 1"),
    ],
)
def test_each_broken_promise_is_a_problem(change: dict[str, object], sentence: str) -> None:
    problems = judge_stop(replace(GOOD, **change)).problems  # type: ignore[arg-type]
    assert any(sentence in problem for problem in problems), problems


def test_after_a_second_signal_the_end_is_soon_and_everybody_is_told() -> None:
    assert judge_hurry([exchange(0.0, 503)], 1.0, 0).problems == []
    (late,) = judge_hurry([], 3.1, 1).problems
    assert "it took 3.1 s" in late
    (lost,) = judge_hurry([exchange(0.0, None, end=End.lost)], 1.0, 0).problems
    assert "no request is lost" in lost


@pytest.mark.parametrize(
    ("outcome", "sentence"),
    [
        (judge_kill(10.1, 0, [1], [1]), "it took 10.1 s"),
        (judge_kill(9.0, 2, [1], [1]), "2 lived on"),
        (judge_kill(9.0, 0, [1, 2], [1, 3]), "1 differ"),
    ],
)
def test_after_kill_9_the_service_comes_back_as_it_was(outcome: Outcome, sentence: str) -> None:
    (problem,) = outcome.problems
    assert sentence in problem
    assert judge_kill(9.0, 0, [1], [1]).problems == []

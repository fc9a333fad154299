"""Tests that the engine and `models.run.run` treat a task in the same way: queries, deadline, reports and errors."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
import torch
from torch import Tensor

from app.engine.engine import Engine
from models.query import GRACE, Answer, DeadlineExceeded, Progress, Query, Task
from models.run import run
from tests.clock import Clock

DEADLINE_S = 10.0


@dataclass
class Log:
    """Everything that is visible of a task from outside: queries, reports and outcome."""

    queries: list[tuple[Tensor, tuple[Any, ...]]] = field(default_factory=list)
    reports: list[tuple[int, int]] = field(default_factory=list)
    outcome: object = None

    def __eq__(self, other: object) -> bool:
        assert isinstance(other, Log)
        same = all(torch.equal(mine[0], theirs[0]) for mine, theirs in zip(self.queries, other.queries, strict=False))
        kinds = [kind for _, kind in self.queries] == [kind for _, kind in other.queries]
        return same and kinds and (self.reports, self.outcome) == (other.reports, other.outcome)


class Network:
    """A network whose logits are twice the mean of a row; it logs queries, and answer number `late` takes too long."""

    def __init__(self, log: Log, clock: Clock, late: int | None) -> None:
        self.log, self.clock, self.late = log, clock, late

    def answer(self, queries: list[Query]) -> list[Answer]:
        for query in queries:
            kind = (query.objective is not None, query.layer, query.within, query.apart)
            self.log.queries.append((query.pixels.clone(), kind))
        if len(self.log.queries) == self.late:
            self.clock.now += 2 * DEADLINE_S
        means = [query.pixels.mean(dim=(1, 2, 3)) for query in queries]
        return [
            Answer(2 * mean.unsqueeze(1), *((mean, query.pixels) if query.objective else ()))
            for mean, query in zip(means, queries, strict=True)
        ]


def drive_with_run(task: Task[Any], network: Network, listener: Callable[[Progress], None]) -> object:
    return run(task, network, listener, deadline_s=DEADLINE_S)


def drive_with_engine(task: Task[Any], network: Network, listener: Callable[[Progress], None]) -> object:
    engine = Engine()
    try:
        return engine.submit(task, network, deadline_s=DEADLINE_S, on_progress=listener).result(30)
    finally:
        engine.close(timeout_s=30)
        assert engine.alive == 0


def clock_of_all(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """A clock for both drivers."""
    clock = Clock()
    for module in ("models.run", "app.engine.engine", "app.engine.driver"):
        monkeypatch.setattr(f"{module}.time", clock)
    return clock


def log_of(
    drive: Callable[..., object], task: Task[Any], monkeypatch: pytest.MonkeyPatch, late: int | None = None
) -> Log:
    """Run the task with this driver and return its log; the deadline passes during answer number `late`."""
    log, clock = Log(), clock_of_all(monkeypatch)
    try:
        log.outcome = drive(
            task, Network(log, clock, late), lambda progress: log.reports.append((progress.step, progress.steps))
        )
    except Exception as error:
        log.outcome = (type(error), str(error))
    assert task.gi_frame is None, "the task has ended"
    return log


def first(logits: Tensor) -> Tensor:
    return logits[:, 0]


def varied_queries(steps: int) -> Task[list[float]]:
    """Send queries of all kinds, whose pixels depend on the answers, and a report after two of every three."""
    value, values = 0.125, list[float]()
    for step in range(steps):
        query = Query(
            torch.full((1 + step % 3, 3, 2, 2), value),
            first if step % 2 else None,
            layer="0" if step % 4 == 3 else None,
            within=step % 8 == 7,
            apart=step % 5 == 4,
        )
        answer = yield query
        assert answer is not None
        values.append(answer.logits[0].item())
        value = (values[-1] + 0.3) % 1
        if step % 3:
            yield Progress(step + 1, steps)
    return values


def large_queries() -> Task[list[Tensor]]:
    """Queries with more rows than are asked at once, some of them with gradients; a part is as good as the whole."""
    answers = []
    for step, rows in enumerate((9, 1, 4, 6)):
        pixels = torch.linspace(0, 1, rows).reshape(rows, 1, 1, 1).expand(rows, 3, 2, 2)
        answer = yield Query(pixels, first if step % 2 else None, apart=True)
        assert answer is not None and len(answer.logits) == rows
        answers.append(answer.logits)
    return answers


def queries_after_deadline(queries: int) -> Task[str]:
    """After the deadline, send the given number of queries, each followed by a report, and return a result."""
    try:
        yield from varied_queries(10**9)
    except DeadlineExceeded:
        yield Progress(0, queries)
        for step in range(queries):
            yield Query(torch.full((1, 3, 2, 2), 0.5))
            yield Progress(step + 1, queries)
        return "best so far"
    return "done"


def ignores_deadline() -> Task[None]:
    """Send queries forever, ignoring the deadline."""
    while True:
        try:
            yield from varied_queries(10**9)
        except DeadlineExceeded:
            continue


def fails() -> Task[None]:
    yield from varied_queries(4)
    raise ValueError("my own fault")


def test_both_send_the_same_queries_in_the_same_order(monkeypatch: pytest.MonkeyPatch) -> None:
    log_of_run, log_of_engine = (
        log_of(drive, varied_queries(17), monkeypatch) for drive in (drive_with_run, drive_with_engine)
    )
    assert len(log_of_run.queries) == 17 and len(log_of_run.outcome) == 17
    assert len({kind for _, kind in log_of_run.queries}) == 6
    assert log_of_run == log_of_engine


def test_both_ask_a_large_query_in_the_same_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nine rows in three parts, and six in two; the task gets one answer to each of its queries."""
    logs = [log_of(drive, large_queries(), monkeypatch) for drive in (drive_with_run, drive_with_engine)]
    for log in logs:
        assert [len(pixels) for pixels, _ in log.queries] == [3, 3, 3, 1, 4, 3, 3]
        joined = torch.cat([2 * pixels.mean(dim=(1, 2, 3)) for pixels, _ in log.queries])
        torch.testing.assert_close(torch.cat(log.outcome)[:, 0], joined)
        log.outcome = None  # a list of tensors has no ==
    assert logs[0] == logs[1]


@pytest.mark.parametrize("late", [1, 4])
@pytest.mark.parametrize("queries", [0, 1, GRACE, GRACE + 1, 3 * GRACE])
def test_both_allow_the_same_queries_after_the_deadline(
    monkeypatch: pytest.MonkeyPatch, queries: int, late: int
) -> None:
    """Up to GRACE queries after the late one are answered; a task that sends one more gets the error."""
    log_of_run, log_of_engine = (
        log_of(drive, queries_after_deadline(queries), monkeypatch, late)
        for drive in (drive_with_run, drive_with_engine)
    )
    assert len(log_of_run.queries) == late + min(queries, GRACE)
    if queries <= GRACE:
        assert log_of_run.outcome == "best so far"
    else:
        assert log_of_run.outcome[0] is DeadlineExceeded and log_of_run.outcome[1].startswith("not done after 20.0 s")
    assert log_of_run == log_of_engine


def test_both_end_a_task_that_ignores_its_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    log_of_run, log_of_engine = (
        log_of(drive, ignores_deadline(), monkeypatch, 3) for drive in (drive_with_run, drive_with_engine)
    )
    assert len(log_of_run.queries) == 3 + GRACE and log_of_run.outcome[0] is DeadlineExceeded
    assert log_of_run == log_of_engine


def test_both_raise_the_same_error(monkeypatch: pytest.MonkeyPatch) -> None:
    log_of_run, log_of_engine = (log_of(drive, fails(), monkeypatch) for drive in (drive_with_run, drive_with_engine))
    assert log_of_run.outcome == (ValueError, "my own fault") and len(log_of_run.queries) == 4
    assert log_of_run == log_of_engine


def test_the_deadline_counts_from_submission_in_the_engine_and_from_the_first_query_in_run(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The preparation takes longer than the deadline: the engine answers no query, and run() answers all."""
    clock = clock_of_all(monkeypatch)
    may_begin = threading.Event()

    def slow_to_begin() -> Task[list[float] | str]:
        assert may_begin.wait(30)
        clock.now += 2 * DEADLINE_S
        try:
            return (yield from varied_queries(3))
        except DeadlineExceeded:
            return "expired"

    may_begin.set()
    counts = []
    for drive, expired in ((drive_with_run, False), (drive_with_engine, True)):
        log = Log()
        assert (drive(slow_to_begin(), Network(log, clock, None), lambda progress: None) == "expired") is expired
        counts.append(len(log.queries))
    assert counts == [3, 0]

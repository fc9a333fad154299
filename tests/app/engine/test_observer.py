"""Tests what the engine notes of its tasks and reports of its batches."""

import threading
from concurrent.futures import Future
from contextvars import copy_context

import pytest
import torch

from app.engine import driver
from app.engine.engine import Engine
from app.engine.observer import FinishedBatch
from app.telemetry.record import Record, begin_record
from models.classifier import Classifier
from models.query import Answer, Network, Query, Task
from tests.app.live_service import eventually


def asks(rows: int, queries: int = 1, value: float = 0.0) -> Task[None]:
    for _ in range(queries):
        yield Query(torch.full((rows, 3, 16, 16), value))


def submit_noted(engine: Engine, task: Task[None], network: Network) -> Record:
    """Run the task for a request of its own, and return what was noted of it."""

    def in_request() -> Record:
        record = begin_record("id")
        engine.submit(task, network).result(60)
        return record

    return copy_context().run(in_request)


def test_every_batch_is_reported(linear: Classifier) -> None:
    batches: list[FinishedBatch] = []
    engine = Engine(observer=batches.append)
    engine.submit(asks(3, queries=2), linear).result(60)
    engine.close(timeout_s=30)
    assert [(batch.network, batch.kind, batch.rows, batch.not_finite, batch.spans) for batch in batches] == [
        (linear, "forward", 3, 0, [])
    ] * 2
    assert batches[0].begun <= batches[0].ended <= batches[1].begun <= batches[1].ended


def test_outputs_that_are_no_numbers_are_counted(linear: Classifier) -> None:
    batches: list[FinishedBatch] = []
    engine = Engine(observer=batches.append)
    with pytest.raises(RuntimeError, match="not a number"):
        engine.submit(asks(1, value=torch.nan), linear).result(60)
    engine.close(timeout_s=30)
    assert [batch.not_finite for batch in batches] == [1]


def test_an_observer_that_fails_harms_no_task(linear: Classifier, caplog: pytest.LogCaptureFixture) -> None:
    def fail(batch: FinishedBatch) -> None:
        raise ZeroDivisionError

    engine = Engine(observer=fail)
    assert engine.submit(asks(1), linear).result(60) is None
    engine.close(timeout_s=30)
    assert engine.counters.driver_failures == 0 and "could not be noted" in caplog.text


def test_the_seconds_of_the_batches_are_those_of_the_requests(linear: Classifier) -> None:
    """One request alone: its computed seconds are those of its three batches."""
    batches: list[FinishedBatch] = []
    engine = Engine(observer=batches.append)
    record = submit_noted(engine, asks(2, queries=3), linear)
    engine.close(timeout_s=30)
    assert record.seconds["computed"] == pytest.approx(sum(batch.ended - batch.begun for batch in batches))
    assert 0 <= record.seconds["queued"] <= batches[-1].begun - record.arrived


def test_a_request_has_the_share_of_its_rows(linear: Classifier, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tasks of 1 and 3 rows wait for the same batch: the second one has three times the seconds of the first."""
    entered, opened = threading.Event(), threading.Event()
    answer = driver.answer_within_memory

    def hold(*arguments: object) -> list[Answer | Exception]:
        entered.set()
        assert opened.wait(60)
        return answer(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(driver, "answer_within_memory", hold)
    engine = Engine()
    engine.submit(asks(1), linear)
    assert entered.wait(60)

    def in_request(rows: int) -> tuple[Record, Future[None]]:
        return begin_record("id"), engine.submit(asks(rows), linear)

    requests = [copy_context().run(in_request, rows) for rows in (1, 3)]
    assert engine.waiting == 2 and engine.computing == 1
    opened.set()
    for _, future in requests:
        future.result(60)
    eventually(lambda: engine.waiting == engine.computing == 0)
    engine.close(timeout_s=30)
    one, three = (record.seconds["computed"] for record, _ in requests)
    assert three == pytest.approx(3 * one)


def test_the_span_of_a_task_ends_with_it(linear: Classifier) -> None:
    class Span:
        def __init__(self) -> None:
            self.errors: list[BaseException | None] = []

        def end(self, error: BaseException | None) -> None:
            self.errors.append(error)

    class Trace:
        trace_id = ""
        span = Span()

        def begin_task(self, kind: str) -> Span:
            return self.span

    def fails() -> Task[None]:
        yield Query(torch.zeros(1, 3, 16, 16))
        raise ValueError

    batches: list[FinishedBatch] = []
    engine, trace = Engine(observer=batches.append), Trace()

    def in_request() -> None:
        begin_record("id").trace = trace  # type: ignore[assignment]
        engine.submit(asks(1), linear).result(60)
        with pytest.raises(ValueError):
            engine.submit(fails(), linear).result(60)

    copy_context().run(in_request)
    engine.close(timeout_s=30)
    assert [type(error) for error in trace.span.errors] == [type(None), ValueError]
    assert [batch.spans for batch in batches] == [[trace.span]] * 2

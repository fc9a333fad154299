"""Tests what is noted of a request."""

import asyncio
import threading
from contextvars import copy_context

import pytest

from app.telemetry.record import Phase, Record, begin_record, current_record, timed_work


class Spans:
    """A trace that remembers its spans."""

    trace_id = "0" * 32

    def __init__(self) -> None:
        self.spans: list[tuple[Phase, float, float]] = []

    def add_phase(self, phase: Phase, begun: float, ended: float) -> None:
        self.spans.append((phase, begun, ended))

    def begin_task(self, kind: str) -> None:  # type: ignore[override]
        raise AssertionError("no task is begun here")


def test_seconds_add_up_and_spans_stay_apart() -> None:
    record, spans = Record("id"), Spans()
    record.trace = spans  # type: ignore[assignment]
    record.add("queued", 0.5)
    record.spend("decoded", 10.0, 11.0)
    record.spend("decoded", 12.0, 14.5)
    assert record.seconds == {"queued": 0.5, "decoded": 3.5}
    assert spans.spans == [("decoded", 10.0, 11.0), ("decoded", 12.0, 14.5)]


def test_many_threads_lose_no_seconds() -> None:
    record = Record("id")
    threads = [threading.Thread(target=lambda: [record.add("computed", 1) for _ in range(2000)]) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert record.seconds == {"computed": 16_000}


def test_the_record_of_a_request_is_that_of_its_tasks_and_of_no_other_request() -> None:
    async def request(name: str) -> tuple[str, str]:
        begin_record(name)
        await asyncio.sleep(0)
        own, in_thread = current_record(), await asyncio.to_thread(current_record)
        assert own is not None and in_thread is not None
        return own.request_id, in_thread.request_id

    async def both() -> list[tuple[str, str]]:
        return list(await asyncio.gather(request("a"), request("b")))

    assert asyncio.run(both()) == [("a", "a"), ("b", "b")]
    assert current_record() is None


def test_work_on_another_thread_is_timed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Asked for at 5 s, begun at 7 s and ended at 10 s; also where it fails."""

    def in_request() -> Record:
        times = iter([1.0, 5.0, 7.0, 10.0])
        monkeypatch.setattr("time.monotonic", lambda: next(times))
        record = begin_record("id")
        with pytest.raises(ZeroDivisionError):
            timed_work("encoded", lambda: 1 / 0)()
        return record

    record = copy_context().run(in_request)
    assert record.arrived == 1.0 and record.seconds == {"queued": 2.0, "encoded": 3.0}


def test_work_outside_a_request_is_left_as_it_is() -> None:
    def work() -> int:
        return 3

    assert timed_work("encoded", work) is work

"""What is noted of one request while it is worked on, for its line in the log, the metrics and the traces.

The record of the present request is in a context variable, so that code which works for a request finds it without
being given it. asyncio's tasks and anyio's threads inherit it; `Decoders` and the engine hand it on themselves.
"""

import threading
import time
from collections.abc import Callable
from contextvars import ContextVar
from typing import Literal, ParamSpec, Protocol, TypeVar

Phase = Literal["received", "queued", "decoded", "computed", "encoded"]
"""What a request spends its time with.

Its body is received. It is queued while it waits for a decoder process, for memory, for the engine or for a thread that
writes responses. Its pictures are decoded. The network computes: of each batch a request has the share of its rows.
Its result is encoded. What is left of its total time goes to everything else, such as the optimisation steps of an
attack. The parts of one request may run at the same time, and then their sum is more than the total.
"""
Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


class TaskSpan(Protocol):
    """The span of one task of the engine."""

    def end(self, error: BaseException | None) -> None:
        """End the span, with the error that ended the task, or None."""
        ...


class Trace(Protocol):
    """The trace of one request."""

    trace_id: str

    def add_phase(self, phase: Phase, begun: float, ended: float) -> None:
        """Add a span for a part of the work; the times are on the clock of time.monotonic()."""
        ...

    def begin_task(self, kind: str) -> TaskSpan:
        """Begin the span of a task of the engine."""
        ...


class Record:
    """What is known of one request so far; `arrived` is on the clock of time.monotonic(). Any thread may write."""

    def __init__(self, request_id: str = "") -> None:
        self.request_id = request_id
        self.arrived = time.monotonic()
        self.route = ""
        """Path of the operation as its route declares it, such as /ideal/{class}; empty where there is none."""
        self.model = ""
        """Name of the served model; `other` for a name that is not served, empty for a request that names none."""
        self.status = 0
        """HTTP status, once the request has ended; 499 if its client left before the end of the response."""
        self.is_over = False
        """Whether no more is logged about the request. A connection keeps the context of its requests longer."""
        self.problem = ""
        """Type of the problem details in the response, without the prefix: `overloaded`; empty without a problem."""
        self.from_cache: bool | None = None
        """Whether the response was stored already; None for a request whose response is never stored."""
        self.trace: Trace | None = None
        self.seconds: dict[Phase, float] = {}
        self._lock = threading.Lock()

    def add(self, phase: Phase, seconds: float) -> None:
        """Add seconds that were spent with something."""
        with self._lock:
            self.seconds[phase] = self.seconds.get(phase, 0.0) + seconds

    def spend(self, phase: Phase, begun: float, ended: float) -> None:
        """Add the seconds between two times, which also are a span of the trace."""
        self.add(phase, ended - begun)
        if self.trace is not None:
            self.trace.add_phase(phase, begun, ended)


_current: ContextVar[Record | None] = ContextVar("record", default=None)


def begin_record(request_id: str) -> Record:
    """A new record, which is that of the calling task from now on, and of all tasks and threads that it starts."""
    record = Record(request_id)
    _current.set(record)
    return record


def current_record() -> Record | None:
    """The record of the request for which the caller works; None outside requests."""
    return _current.get()


def timed_work(phase: Phase, work: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
    """The same function, for another thread: the wait until it is called is noted as queued, its work as the phase."""
    record = current_record()
    if record is None:
        return work
    asked = time.monotonic()

    def measured(*arguments: Arguments.args, **options: Arguments.kwargs) -> Result:
        begun = time.monotonic()
        record.add("queued", begun - asked)
        try:
            return work(*arguments, **options)
        finally:
            record.spend(phase, begun, time.monotonic())

    return measured

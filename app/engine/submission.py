"""A task that was submitted to the engine, on its way to its result."""

import contextlib
import time
from collections.abc import Callable
from concurrent.futures import CancelledError, Future, InvalidStateError
from dataclasses import replace
from functools import partial
from typing import Any

from app.engine.deadline import Deadline
from app.engine.pace import Pace
from app.engine.progress import GuardedListener, Listener
from app.telemetry.record import TaskSpan, current_record
from models.query import Network, Progress, Task
from models.run import Conversation


class Submission(Conversation[Any]):
    """A task that was submitted to the engine, and the future by which its caller gets the result.

    It is noted in the record of the request for which it is submitted, if there is one.
    """

    def __init__(
        self, task: Task[Any], network: Network, listener: Listener | None, deadline: Deadline, pace: Pace
    ) -> None:
        super().__init__(task, network, self._report)
        self.own_deadline = deadline
        self.pace = pace
        self.future: Future[Any] = Future()
        self.waiting_since = self.begun
        self.span: TaskSpan | None = None
        self._listener = None if listener is None else GuardedListener(listener)
        self._record = current_record()
        if self._record is not None and self._record.trace is not None:
            self.span = self._record.trace.begin_task(pace.kind)
            self.future.add_done_callback(partial(_end_span, self.span))

    @property
    def is_first_look(self) -> bool:
        """Whether the task is new and asks for logits alone."""
        return self.pace.is_new and not self.wants_gradients

    @property
    def least_seconds(self) -> float:
        """The seconds that its query takes at least, by what is known of the network."""
        row_seconds = None if self.times is None else self.times.of(gradients=self.wants_gradients).row_seconds
        return (row_seconds or 0.0) * self.query.pixels.shape[0]

    @property
    def suitable_rows(self) -> int:
        """The rows of a batch beyond which more do not pay off for its kind of pass; 1 where nothing is known."""
        knee = None if self.times is None else self.times.of(gradients=self.wants_gradients).knee
        return knee or 1

    def wait(self) -> None:
        """Note that the task waits for its next answer from now on."""
        self.waiting_since = time.monotonic()

    def note_answer(self, begun: float, seconds: float) -> None:
        """Note that a batch answered the task, when it began, and how many of its seconds are the task's share."""
        if self._record is not None:
            self._record.add("queued", begun - self.waiting_since)
            self._record.add("computed", seconds)

    def succeed(self) -> None:
        """Give the caller the result."""
        _resolve(lambda: self.future.set_result(self.result))

    def fail(self, error: BaseException) -> None:
        """Give the caller an error."""
        _resolve(lambda: self.future.set_exception(error))

    def _report(self, progress: Progress) -> None:
        self.pace.report(progress)
        if self._listener is not None:
            self._listener(replace(progress, compute_eta=self.pace.seconds_left))


def _end_span(span: TaskSpan, future: "Future[Any]") -> None:
    span.end(CancelledError() if future.cancelled() else future.exception())


def _resolve(answer: Callable[[], None]) -> None:
    with contextlib.suppress(InvalidStateError):  # the caller cancelled the future in this very moment
        answer()

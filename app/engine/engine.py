"""Continuous batching: one thread drives all tasks that are alive, and the network answers their queries in batches.

A tick is one turn of the engine's loop. It answers one batch of queries for logits per network, and then one batch of
queries for gradients. So a request joins at the next tick and leaves as soon as it is done, and one that needs logits
alone, as a classification does, waits for one gradient step at most. An engine without tasks sleeps.
"""

import contextlib
import logging
import math
import queue
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, InvalidStateError
from typing import Any, TypeVar

from app.engine.admission import Admission
from app.engine.batches import DoesNotFit, RowLimit, answer_within_memory, is_out_of_memory
from app.engine.counters import Counters
from app.engine.progress import GuardedListener, Listener
from models.query import Answer, Network, Task
from models.run import Conversation, next_batch

logger = logging.getLogger(__name__)
Result = TypeVar("Result")


class Submission(Conversation[Any]):
    """A task that was submitted to the engine, and the future by which its caller gets the result."""

    def __init__(
        self, task: Task[Any], network: Network, listener: Listener | None, deadline_s: float, weight: int
    ) -> None:
        super().__init__(task, network, None if listener is None else GuardedListener(listener))
        self.deadline = self.begun + deadline_s
        self.weight = weight
        self.future: Future[Any] = Future()


class Engine:
    """Drives tasks on one device; `submit` may be called from any thread.

    At most `max_rows` rows go through a network at once; the number is halved for good when the device runs out of
    memory. At most `max_tasks` tasks are alive, and their weights add up to at most `max_weight` (see Admission).
    """

    def __init__(self, *, max_rows: int = 32, max_tasks: int = 64, max_weight: float = math.inf) -> None:
        self.max_rows = max_rows
        self.counters = Counters()
        self.admission = Admission(max_tasks, max_weight, self.counters)
        self._inbox: queue.SimpleQueue[Submission | None] = queue.SimpleQueue()
        self._waiting: deque[Submission] = deque()  # for an answer, the longest waiting first
        self._thread = threading.Thread(target=self._loop, name="engine", daemon=True)
        self._thread.start()

    @property
    def alive(self) -> int:
        """Number of tasks that wait or run."""
        return self.admission.alive

    def submit(
        self,
        task: Task[Result],
        network: Network,
        *,
        deadline_s: float = math.inf,
        on_progress: Listener | None = None,
        weight: int = 0,
        sequel: bool = False,
    ) -> "Future[Result]":
        """Let the task join at the next tick; cancelling the future makes it leave at the tick after that.

        `on_progress` is called on the engine's thread. `deadline_s` seconds after this call DeadlineExceeded is thrown
        into the task, and what it then returns or raises goes to the future. `weight` stands for the memory that the
        task itself takes. A `sequel` finishes work whose earlier task has ended; it is admitted even if the engine is
        full, since a refusal would lose that work. Raises Overloaded, ShuttingDown.
        """
        self.admission.admit(weight, is_sequel=sequel)
        submission = Submission(task, network, on_progress, deadline_s, weight)
        self._inbox.put(submission)
        return submission.future

    def check_room(self, weight: int = 0) -> None:
        """Raise what `submit` would raise now, before work is put into preparing a task."""
        self.admission.check(weight)

    def close(self, *, timeout_s: float | None = None) -> None:
        """Take no new tasks, finish those that are alive and stop the thread; wait `timeout_s` seconds at most."""
        self.admission.close()
        self._inbox.put(None)  # wakes the thread
        self._thread.join(timeout_s)

    def _loop(self) -> None:
        while self.admission.is_open or self.alive:
            try:
                self._begin_submitted()
                self._drop_cancelled()
                self._answer_logits()
                self._answer_next_batch(gradients=True)
            except Exception as error:  # a fault of the engine's own must not leave anybody waiting for ever
                logger.exception("the engine failed; every task in flight is answered with the error")
                while self._waiting:
                    self._fail(self._waiting.popleft(), error)

    def _begin_submitted(self) -> None:
        """Start the tasks that were submitted since the last tick; with no other task, sleep until one comes."""
        block = not self._waiting
        while True:
            try:
                submission = self._inbox.get(block=block)
            except queue.Empty:
                return
            block = False
            if submission is not None:
                self._proceed(submission, submission.advance)

    def _drop_cancelled(self) -> None:
        for submission in [submission for submission in self._waiting if submission.future.cancelled()]:
            self._waiting.remove(submission)
            self.counters.left += 1
            self._end(submission)

    def _expire_overdue(self) -> None:
        for submission in [submission for submission in self._waiting if submission.overdue]:
            self._waiting.remove(submission)
            self.counters.expired += 1
            self._proceed(submission, submission.expire)

    def _answer_logits(self) -> None:
        """Answer as many batches of queries for logits as there are networks that are asked for them."""
        networks = {id(submission.network) for submission in self._waiting if not submission.wants_gradients}
        for _ in range(len(networks)):
            self._answer_next_batch(gradients=False)

    def _answer_next_batch(self, *, gradients: bool) -> None:
        """Answer the query of this kind that has waited longest, and those that share its batch.

        Each task goes to the end of the line with its next query, so none waits for another's second turn. Tasks whose
        deadline has passed get DeadlineExceeded in place of an answer.
        """
        self._expire_overdue()
        waiting = (submission for submission in self._waiting if submission.wants_gradients == gradients)
        batch = next_batch(waiting, self.max_rows)
        if not batch:
            return
        network = batch[0].network
        assert network is not None, "a submission has a network"
        limit = RowLimit(self.max_rows)
        answers = answer_within_memory(network, [submission.query for submission in batch], limit)
        self.max_rows = limit.rows
        self._count(batch, gradients=gradients)
        for submission, answer in zip(batch, answers, strict=True):
            self._waiting.remove(submission)
            if isinstance(answer, Answer):
                self._proceed(submission, submission.advance, answer)
            else:
                self._fail(submission, answer)

    def _count(self, batch: list[Submission], *, gradients: bool) -> None:
        rows = sum(len(submission.query.pixels) for submission in batch)
        if gradients:
            self.counters.gradient_batches += 1
            self.counters.gradient_rows += rows
        else:
            self.counters.forward_batches += 1
            self.counters.forward_rows += rows

    def _proceed(self, submission: Submission, step: Callable[..., None], *arguments: Answer) -> None:
        """Let the task take a step; then it waits with its next query, or its caller gets the result or the error."""
        try:
            step(*arguments)
        except Exception as error:
            self._fail(submission, DoesNotFit() if is_out_of_memory(error) else error)
            return
        if submission.done:
            self._finish(submission)
        else:
            self._waiting.append(submission)

    def _finish(self, submission: Submission) -> None:
        self.counters.done += 1
        self._end(submission)
        _resolve(lambda: submission.future.set_result(submission.result))

    def _fail(self, submission: Submission, error: BaseException) -> None:
        self.counters.failed += 1
        self._end(submission)
        _resolve(lambda: submission.future.set_exception(error))

    def _end(self, submission: Submission) -> None:
        """Close the task and release its place, before the caller is answered and may ask again."""
        try:
            submission.close()
        except Exception:
            logger.exception("a task failed while it was closed")
        self.admission.release(submission.weight, time.monotonic() - submission.begun)


def _resolve(answer: Callable[[], None]) -> None:
    with contextlib.suppress(InvalidStateError):  # the caller cancelled the future in this very moment
        answer()

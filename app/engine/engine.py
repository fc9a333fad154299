"""Continuous batching: one thread drives all tasks that are alive, and the network answers their queries in batches.

A tick is one turn of the engine's loop. It answers the first queries of new tasks, if they are for logits alone, and
then one batch of the other queries, which take turns. A batch has as many rows as pay off on this machine, and no more
(models/pass_times.py). So a request joins at the next tick and leaves as soon as it is done. One that needs a single
look, as a classification does, waits for the batch that is being computed, and for the first looks before it. An engine
without tasks sleeps.
"""

import contextlib
import logging
import math
import queue
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, InvalidStateError
from dataclasses import replace
from typing import Any, TypeVar

import torch

from app.engine.admission import Admission
from app.engine.batches import DoesNotFit, RowLimit, answer_within_memory, is_out_of_memory
from app.engine.counters import Counters
from app.engine.pace import Pace
from app.engine.progress import GuardedListener, Listener
from app.engine.threads import compute_in_parallel
from models.query import Answer, Network, Progress, Query, Task
from models.run import Conversation, next_batch

logger = logging.getLogger(__name__)
Result = TypeVar("Result")
MOST_AWAITED = 8
"""First looks beyond which no more are waited for: so many make a good batch, and more would leave the cores idle."""
MOST_WAIT_S = 0.02
"""Seconds that a first look is waited for at most: a client that comes back at once is there by then."""


class Submission(Conversation[Any]):
    """A task that was submitted to the engine, and the future by which its caller gets the result."""

    def __init__(
        self, task: Task[Any], network: Network, listener: Listener | None, deadline_s: float, weight: int
    ) -> None:
        super().__init__(task, network, self._report)
        self.deadline = self.begun + deadline_s
        self.pace = Pace(getattr(task, "__name__", ""), weight)
        self.future: Future[Any] = Future()
        self._listener = None if listener is None else GuardedListener(listener)

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

    def _report(self, progress: Progress) -> None:
        self.pace.report(progress)
        if self._listener is not None:
            self._listener(replace(progress, compute_eta=self.pace.seconds_left))


class Engine:
    """Drives tasks on one device; `submit` may be called from any thread.

    At most `max_rows` rows go through a network at once, and fewer where more do not pay off; the number is halved for
    good when the device runs out of memory. At most `max_tasks` tasks are alive, and their weights add up to at most
    `max_weight` (see Admission). Passes on a CPU run on `threads` threads, or on as many as PyTorch gives any thread.
    """

    def __init__(
        self, *, max_rows: int = 32, max_tasks: int = 64, max_weight: float = math.inf, threads: int | None = None
    ) -> None:
        self.max_rows = max_rows
        self.threads = threads or torch.get_num_threads()
        self.counters = Counters()
        self.admission = Admission(max_tasks, max_weight, self.counters)
        self._inbox: queue.SimpleQueue[Submission | None] = queue.SimpleQueue()
        self._first_looks: deque[Submission] = deque()  # wait for an answer, the longest waiting first
        self._expected = 0  # first looks that probably come at about the same time
        self._others: deque[Submission] = deque()
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
        full, since a refusal would lose that work. Raises Overloaded, TooLate, ShuttingDown.
        """
        submission = Submission(task, network, on_progress, deadline_s, weight)
        self.admission.admit(submission.pace, deadline_s, is_sequel=sequel)
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
        compute_in_parallel(self.threads)
        while self.admission.is_open or self.alive:
            try:
                self._begin_submitted()
                self._note_work_ahead()
                self._answer_first_looks()
                self._answer_next_batch(self._others)
            except Exception as error:  # a fault of the engine's own must not leave anybody waiting for ever
                logger.exception("the engine failed; every task in flight is answered with the error")
                for line in (self._first_looks, self._others):
                    while line:
                        self._fail(line.popleft(), error)

    def _begin_submitted(self) -> None:
        """Start the tasks that were submitted since the last tick; with no other task, sleep until one comes."""
        block = not (self._first_looks or self._others)
        while True:
            try:
                submission = self._inbox.get(block=block)
            except queue.Empty:
                return
            block = False
            if submission is not None:
                self._proceed(submission, submission.advance)

    def _answer_first_looks(self) -> None:
        """Answer the first looks that wait now; those that are submitted meanwhile fill up the last batches."""
        last = self._first_looks[-1] if self._first_looks else None
        while last in self._first_looks:
            self._await_expected()
            self._answer_next_batch(self._first_looks)
            if last in self._first_looks:
                self._begin_submitted()

    def _await_expected(self) -> None:
        """Let first looks share a batch with those that are probably on their way.

        Clients that send one picture after the other come back as soon as they are answered. So those who were answered
        last and those who waited meanwhile are expected together: as many as pay off in one batch (at most
        MOST_AWAITED), and as long as a row takes after each of them (at most MOST_WAIT_S). Nothing is waited for while
        other tasks are at work (docs/decisions/0046).
        """
        while self._first_looks and not self._others:
            first = self._first_looks[0]
            if len(self._first_looks) >= min(self._expected, first.suitable_rows, MOST_AWAITED):
                break
            try:
                submission = self._inbox.get(timeout=min(first.least_seconds, MOST_WAIT_S))
            except queue.Empty:
                break
            if submission is not None:
                self._proceed(submission, submission.advance)
        self._expected = 0

    def _drop_cancelled(self, line: deque[Submission]) -> None:
        for submission in [submission for submission in line if submission.future.cancelled()]:
            line.remove(submission)
            self.counters.left += 1
            self._end(submission)

    def _expire_overdue(self, line: deque[Submission]) -> None:
        for submission in [submission for submission in line if submission.overdue]:
            line.remove(submission)
            self.counters.expired += 1
            self._proceed(submission, submission.expire)

    def _answer_next_batch(self, line: deque[Submission]) -> None:
        """Answer the query in the line that has waited longest, and those that share its batch.

        Each task goes to the end of the line with its next query, or the next part of it, so none waits for another's
        second turn. Tasks whose deadline has passed get DeadlineExceeded in place of an answer.
        """
        self._drop_cancelled(line)
        self._expire_overdue(line)
        batch = next_batch(line, self.max_rows)
        if not batch:
            self._note_work_ahead()  # those that left or were overdue are not waited for any more
            return
        network = batch[0].network
        assert network is not None, "a submission has a network"
        queries = [submission.query for submission in batch]
        self._count(queries)
        limit = RowLimit(self.max_rows)
        answers = answer_within_memory(network, queries, limit)
        self.max_rows = limit.rows
        if line is self._first_looks:
            self._expected = len(line) + self._inbox.qsize()  # with those of this batch
        for submission, answer in zip(batch, answers, strict=True):
            line.remove(submission)  # it stands near the front
            submission.pace.take_turn()
            if isinstance(answer, Answer):
                self._proceed(submission, submission.advance, answer)
            else:
                self._fail(submission, answer)
        self._note_work_ahead()

    def _note_work_ahead(self) -> None:
        """Tell the admission what every new task has to wait for: the first looks that wait already."""
        self.admission.ahead_s = sum(submission.least_seconds for submission in self._first_looks)

    def _count(self, queries: list[Query]) -> None:
        rows = sum(len(query.pixels) for query in queries)
        if queries[0].objective is not None:
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
            line = self._first_looks if submission.is_first_look else self._others
            line.append(submission)

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
        self.admission.release(submission.pace)


def _resolve(answer: Callable[[], None]) -> None:
    with contextlib.suppress(InvalidStateError):  # the caller cancelled the future in this very moment
        answer()

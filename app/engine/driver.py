"""Continuous batching: one thread drives all tasks that are alive, and the network answers their queries in batches.

A tick is one turn of the driver's loop: it answers one batch, of first looks (the first queries of new tasks, if they
are for logits alone) or of the other queries. Both kinds get their share of the time (app/engine/lines.py). A batch has
as many rows as pay off on this machine, and no more (models/pass_times.py). So a request joins at the next tick and
leaves as soon as it is done. A driver without tasks sleeps.
"""

import logging
import math
import queue
import threading
import time
from collections.abc import Callable, Sequence

from app.engine.admission import ShuttingDown
from app.engine.batches import DoesNotFit, answer_within_memory, is_out_of_memory
from app.engine.lines import Line, Lines
from app.engine.observer import FinishedBatch, Kind
from app.engine.outputs import NotFinite
from app.engine.pace import Pace
from app.engine.shared_parts import Shared
from app.engine.submission import Submission
from app.engine.threads import compute_in_parallel
from models.query import Answer, DeadlineExceeded, Network, Query
from models.run import next_batch

logger = logging.getLogger(__name__)
MOST_AWAITED = 8
"""First looks beyond which no more are waited for: so many make a good batch, and more would leave the cores idle."""
MOST_WAIT_S = 0.02
"""Seconds that a first look is waited for at most: a client that comes back at once is there by then."""

CLOSED_WAIT_S = 0.1
"""Seconds between two looks at what is left to do, when the engine is closed."""


class Driver:
    """Drives tasks on a thread of its own, until the engine is closed and no task is left.

    `on_end` is called at the end of the thread with the error that ended it, or None. `busy_since` is when its present
    step began, on the clock of time.monotonic(); 0 while it waits for a task.
    """

    def __init__(self, shared: Shared, on_end: Callable[["Driver", BaseException | None], None]) -> None:
        self.busy_since = 0.0
        self._shared = shared
        self._lines = Lines()
        self._batch: list[Submission] = []  # the tasks whose queries are being answered
        self._expected = 0  # first looks that probably come at about the same time
        self._late: set[Pace] = set()  # requests whose first looks were waited for in vain
        self._abandoned = False
        self._on_end = on_end
        self._thread = threading.Thread(target=self._run, name="engine", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    @property
    def alive(self) -> bool:
        """Whether the thread has not ended."""
        return self._thread.is_alive()

    def join(self, timeout_s: float | None = None) -> None:
        """Wait for the end of the thread, `timeout_s` seconds at most."""
        self._thread.join(timeout_s)

    @property
    def computing(self) -> int:
        """Number of tasks whose queries are being answered, or which take a step."""
        return len(self._batch)

    @property
    def waiting(self) -> int:
        """Number of tasks that wait for a batch; those that it has not taken from the inbox yet do not count."""
        return max(0, len(self._lines.looks) + len(self._lines.others) - self.computing)

    def abandon(self, error: Exception) -> None:
        """Answer everybody who waits with the error; if the thread goes on, it ends without touching anything."""
        self._abandoned = True
        for submission in {*self._batch, *self._lines.looks, *self._lines.others}:  # a batch is still in its line
            self._shared.counters.failed += 1
            self._shared.admission.release_after_task(submission.pace)
            submission.fail(error)

    def _run(self) -> None:
        error: BaseException | None = None
        try:
            compute_in_parallel(self._shared.threads)
            while not self._abandoned and (self._shared.admission.is_open or self._shared.admission.alive):
                self._tick()
        except BaseException as fault:
            error = fault
        finally:
            self._on_end(self, error)

    def _tick(self) -> None:
        self._begin_submitted()
        if self._abandoned:
            return
        self.busy_since = time.monotonic()
        for line in self._lines.both:
            self._drop_cancelled(line)
            self._expire_overdue(line)
            line.forget_owners()
        turn = self._lines.next()
        if turn is self._lines.looks:
            self._await_expected()
        if turn is not None:
            self._answer_next_batch(turn)
        self._note_work_ahead()
        self.busy_since = 0.0

    def _begin_submitted(self) -> None:
        """Start the tasks that were submitted since the last tick; with no other task, sleep until one comes."""
        block = not any(self._lines.both)
        while True:
            try:
                # An engine that is closed waits for tasks that end elsewhere, and nothing wakes it then.
                submission = self._shared.inbox.get(block, None if self._shared.admission.is_open else CLOSED_WAIT_S)
            except queue.Empty:
                return
            block = False
            if not self._begin(submission):
                return

    def _begin(self, submission: Submission | None) -> bool:
        """Start a task; False if another driver has taken this one's place, to which the task is left."""
        if self._abandoned:
            self._shared.inbox.put(submission)
            return False
        if submission is not None:
            begun = time.monotonic()
            self.busy_since = self.busy_since or begun
            self._step(submission, submission.advance)
            self._lines.of(submission).charge({submission.pace.owner: time.monotonic() - begun})
        return not self._abandoned

    def _step(self, submission: Submission, step: Callable[..., None]) -> None:
        """Let a task that is in no line take a step; an error of the driver's own reaches it."""
        self._batch = [submission]
        self._proceed(submission, step)
        self._batch = []

    def _await_expected(self) -> None:
        """Let first looks share a batch with those that are probably on their way.

        Clients that send one picture after the other come back as soon as they are answered. So those who were answered
        last and those who waited meanwhile are expected together, and those whose pictures are being decoded: as many
        as pay off in one batch (at most MOST_AWAITED), and as long as a row takes after each of them (at most
        MOST_WAIT_S). Whoever was waited for in vain, since its picture takes long to decode, is not waited for again.
        Nothing is waited for while other tasks are at work (docs/decisions/0046).
        """
        looks = self._lines.looks
        while looks and not self._lines.others:
            first, there = next(iter(looks)), {submission.pace for submission in looks}
            coming = self._shared.admission.quick() - there
            expected = max(self._expected, len(looks) + len(coming - self._late))
            rows = sum(submission.query.pixels.shape[0] for submission in looks)
            if len(looks) >= expected or rows >= min(first.suitable_rows, self._shared.limit.rows, MOST_AWAITED):
                break
            try:
                submission = self._shared.inbox.get(timeout=min(first.least_seconds, MOST_WAIT_S))
            except queue.Empty:
                self._late = coming
                break
            if not self._begin(submission):
                return
        self._expected = 0

    def _drop_cancelled(self, line: Line) -> None:
        for submission in [submission for submission in line if submission.future.cancelled()]:
            line.remove(submission)
            self._shared.counters.left += 1
            self._end(submission)

    def _expire_overdue(self, line: Line) -> None:
        """Throw DeadlineExceeded into tasks whose deadline has passed, in place of an answer."""
        now = time.monotonic()  # before the deadlines are read: one that is put off in this moment has not passed
        for submission in line:
            submission.deadline = min(submission.own_deadline.until, self._shared.end_at)
        for submission in [submission for submission in line if submission.is_overdue(now)]:
            line.remove(submission)
            self._shared.counters.expired += 1
            self._step(submission, submission.expire)

    def _answer_next_batch(self, line: Line) -> None:
        """Answer the query in the line whose turn it is, and those that share its batch.

        Each task goes to the end of its line with its next query, or the next part of it, so none waits for another's
        second turn.
        """
        shared = self._shared
        batch = next_batch(line.in_turn(), shared.limit.rows)
        network = batch[0].network
        assert network is not None, "a submission has a network"
        queries = [submission.query for submission in batch]
        rows = self._count(queries)
        self._batch = batch
        begun = time.monotonic()
        answers = shared.outputs.check(network, answer_within_memory(network, queries, shared.limit))
        ended = time.monotonic()
        if self._abandoned:
            return
        self._note_batch(network, batch, answers, begun, ended)
        if line is self._lines.looks:
            self._expected = len(line) + shared.inbox.qsize()  # with those of this batch
        spent: dict[str, float] = {}
        for submission, query, answer in zip(batch, queries, answers, strict=True):
            step_begun, part = time.monotonic(), (ended - begun) * query.pixels.shape[0] / rows
            submission.pace.worked_s += part
            line.remove(submission)
            submission.pace.take_turn()
            if isinstance(answer, Answer):
                self._proceed(submission, submission.advance, answer, line=line)
            else:
                self._fail(submission, answer)
            own = time.monotonic() - step_begun  # its own work after the pass, on this thread
            submission.pace.worked_s += own
            spent[submission.pace.owner] = spent.get(submission.pace.owner, 0.0) + part + own
        line.charge(spent)
        self._batch = []

    def _note_batch(
        self,
        network: Network,
        batch: list[Submission],
        answers: Sequence[Answer | Exception],
        begun: float,
        ended: float,
    ) -> None:
        """Note each task's share of the batch, by its rows, and tell the observer of the batch."""
        rows = sum(submission.query.pixels.shape[0] for submission in batch)
        for submission in batch:
            submission.note_answer(begun, (ended - begun) * submission.query.pixels.shape[0] / rows)
        if self._shared.observer is None:
            return
        not_finite = sum(isinstance(answer, NotFinite) for answer in answers)
        spans = [submission.span for submission in batch if submission.span is not None]
        kind: Kind = "gradients" if batch[0].wants_gradients else "forward"
        try:
            self._shared.observer(FinishedBatch(network, kind, rows, begun, ended, not_finite, spans))
        except Exception:  # no task may fail because it is watched
            logger.exception("a batch could not be noted in the metrics or traces")

    def _note_work_ahead(self) -> None:
        """Tell the admission what every new task has to wait for: the first looks that wait already."""
        self._shared.admission.ahead_s = sum(submission.least_seconds for submission in self._lines.looks)

    def _count(self, queries: list[Query]) -> int:
        """Count a batch, and return its rows."""
        counters, rows = self._shared.counters, sum(query.pixels.shape[0] for query in queries)
        if queries[0].objective is not None:
            counters.gradient_batches += 1
            counters.gradient_rows += rows
        else:
            counters.forward_batches += 1
            counters.forward_rows += rows
        return rows

    def _proceed(
        self, submission: Submission, step: Callable[..., None], *arguments: Answer, line: Line | None = None
    ) -> None:
        """Let the task take a step; then it waits with its next query, or its caller gets the result or the error."""
        try:
            step(*arguments)
        except Exception as error:
            self._fail(submission, DoesNotFit() if is_out_of_memory(error) else error)
            return
        if submission.done:
            self._shared.counters.done += 1
            self._end(submission)
            submission.succeed()
        else:
            submission.wait()
            self._lines.add(submission, line)

    def _fail(self, submission: Submission, error: BaseException) -> None:
        self._shared.counters.failed += 1
        if isinstance(error, DeadlineExceeded) and self._shared.end_at <= submission.deadline < math.inf:
            error = ShuttingDown("the service is stopping and the result is not ready: send the request again later")
        self._end(submission)
        submission.fail(error)

    def _end(self, submission: Submission) -> None:
        """Close the task and release its place, before the caller is answered and may ask again."""
        try:
            submission.close()
        except Exception:
            logger.exception("a task failed while it was closed")
        self._shared.admission.release_after_task(submission.pace)

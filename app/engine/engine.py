"""Continuous batching: one thread drives every task that is alive and shows the network their queries together.

At each tick it stacks the queries that wait into one batch for logits and one for gradients, so a request joins at the
next step and leaves when it is done. Whoever waits for logits alone goes first. An idle engine sleeps.
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
from dataclasses import dataclass, field
from typing import Any, TypeVar

from app.engine.batches import DoesNotFit, RowLimit, answer_within_memory, is_out_of_memory
from app.engine.progress import Listener, tell
from models.query import GRACE, Answer, DeadlineExceeded, Network, Progress, Query, Task

logger = logging.getLogger(__name__)
Result = TypeVar("Result")


class Overloaded(RuntimeError):
    """As many tasks are alive as are allowed; `retry_after_s` is when a place should be free."""

    def __init__(self, retry_after_s: int) -> None:
        super().__init__(f"all places are taken: try again in {retry_after_s} s")
        self.retry_after_s = retry_after_s


class ShuttingDown(RuntimeError):
    """The engine takes no new work."""


@dataclass
class Counters:
    """What the engine has done since it started; `rows` / `batches` is how well requests share the network."""

    forward_batches: int = 0
    forward_rows: int = 0
    gradient_batches: int = 0
    gradient_rows: int = 0
    done: int = 0
    failed: int = 0
    left: int = 0
    expired: int = 0
    refused: int = 0


@dataclass(eq=False)
class Job:
    """One task with the network it asks, who waits for it and who listens."""

    task: Task[Any]
    network: Network
    future: "Future[Any]"
    listener: Listener | None
    deadline: float
    weight: int
    begun: float = field(default_factory=time.monotonic)
    query: Query | None = None
    grace: int | None = None  # how many queries are left to it, once its time is up


class Engine:
    """Drives tasks on one device; `submit` may be called from any thread.

    At most `max_rows` rows go through a network at once, halved for good when the device runs out of memory; at most
    `max_waiting` tasks are alive, and those that are weigh `max_weight` together, or one alone weighs more; a task
    without weight has room beside it.
    """

    def __init__(self, *, max_rows: int = 32, max_waiting: int = 64, max_weight: float = math.inf) -> None:
        self.max_rows = max_rows
        self.max_waiting = max_waiting
        self.max_weight = max_weight
        self.counters = Counters()
        self.seconds_per_task = 1.0
        self._inbox: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._jobs: deque[Job] = deque()  # in the order of their turns
        self._lock = threading.Lock()  # guards _alive, _weight, _open and counters.refused, which callers touch
        self._alive = 0
        self._weight = 0
        self._open = True
        self._thread = threading.Thread(target=self._loop, name="engine", daemon=True)
        self._thread.start()

    @property
    def alive(self) -> int:
        """How many tasks wait or run."""
        return self._alive

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
        """Let the task join at the next tick; cancelling the future makes it leave at the one after.

        `on_progress` is called on the engine's thread. When `deadline_s` has passed, DeadlineExceeded is thrown into
        the task, whose result or error answers the future. `weight` stands for the memory that the task itself takes.
        A `sequel` ends work that has had its place and given it back, and is let in where all are taken: refused, the
        work would be lost. Raises Overloaded, ShuttingDown.
        """
        with self._lock:
            self._check_room(weight, sequel=sequel)
            self._alive += 1
            self._weight += weight
        future: Future[Result] = Future()
        self._inbox.put(Job(task, network, future, on_progress, time.monotonic() + deadline_s, weight))
        return future

    def check_room(self, weight: int = 0) -> None:
        """Raise what `submit` would raise now, before work is put into preparing a task."""
        with self._lock:
            self._check_room(weight)

    def _check_room(self, weight: int, *, sequel: bool = False) -> None:
        if not self._open:
            raise ShuttingDown("the service is shutting down: try another instance")
        if sequel:
            return
        too_heavy = weight and self._weight and self._weight + weight > self.max_weight
        if self._alive >= self.max_waiting or too_heavy:
            self.counters.refused += 1
            raise Overloaded(max(1, math.ceil(self.seconds_per_task / max(1, self._alive))))

    def close(self, *, timeout_s: float | None = None) -> None:
        """Take nothing new, finish what is alive, stop the thread."""
        with self._lock:
            self._open = False
        self._inbox.put(None)
        self._thread.join(timeout_s)

    def _loop(self) -> None:
        while self._open or self._alive:
            try:
                self._admit()
                self._dismiss()
                for _ in self._networks(gradients=False):  # one batch each: several models' requests all go first
                    self._tick(gradients=False)
                self._tick(gradients=True)
            except Exception as error:  # a fault of the engine's own must not leave anybody waiting for ever
                logger.exception("the engine failed; every task in flight is answered with the error")
                while self._jobs:
                    self._fail(self._jobs.popleft(), error)

    def _admit(self) -> None:
        """Start what has come in; with nothing else to do, sleep until something does."""
        block = not self._jobs
        while True:
            try:
                job = self._inbox.get(block=block)
            except queue.Empty:
                return
            block = False
            if job is not None:
                self._advance(job, None)

    def _dismiss(self) -> None:
        """Close the tasks of callers that have left, and end those whose time is up."""
        now = time.monotonic()
        for job in list(self._jobs):
            if job.future.cancelled():
                self._jobs.remove(job)
                self.counters.left += 1
                self._end(job)
            elif job.grace is None and now > job.deadline:
                self._jobs.remove(job)
                self._expire(job)

    def _tick(self, *, gradients: bool) -> None:
        """Answer one batch of the queries that wait: of one network, in the order of their turns."""
        batch = self._next_batch(gradients=gradients)
        if not batch:
            return
        limit = RowLimit(self.max_rows)
        answers = answer_within_memory(batch[0].network, [_query(job) for job in batch], limit)
        self.max_rows = limit.rows
        self._count(batch, gradients=gradients)
        for job, answer in zip(batch, answers, strict=True):
            self._jobs.remove(job)
            if isinstance(answer, Answer):
                self._advance(job, answer)
            else:
                self._fail(job, answer)

    def _networks(self, *, gradients: bool) -> set[int]:
        return {id(job.network) for job in self._jobs if (_query(job).objective is not None) == gradients}

    def _next_batch(self, *, gradients: bool) -> list[Job]:
        """The longest waiting job of this kind and whoever fits beside it; each goes to the back when it advances."""
        waiting = [job for job in self._jobs if (_query(job).objective is not None) == gradients]
        batch: list[Job] = []
        rows = 0
        for job in waiting:
            size = len(_query(job).pixels)
            if batch and (job.network is not batch[0].network or rows + size > self.max_rows or _query(job).apart):
                continue
            batch.append(job)
            rows += size
            if _query(job).apart:
                break
        return batch

    def _advance(self, job: Job, answer: Answer | None) -> None:
        """Send the task its answer and take its next query; progress goes to whoever listens."""
        try:
            said = job.task.send(answer)
            while not isinstance(said, Query):
                tell(job, said)
                said = job.task.send(None)
            self._ask(job, said)
        except StopIteration as stop:
            self._finish(job, stop.value)
        except Exception as error:
            self._fail(job, DoesNotFit() if is_out_of_memory(error) else error)

    def _ask(self, job: Job, query: Query) -> None:
        """Put a query in line; of a task whose time is up, the few by which it verifies its best so far."""
        if job.grace is not None:
            job.grace -= 1
            if job.grace < 0:
                raise _late(job)
        job.query = query
        self._jobs.append(job)

    def _expire(self, job: Job) -> None:
        self.counters.expired += 1
        try:
            job.grace = GRACE
            said = job.task.throw(_late(job))
            while isinstance(said, Progress):
                said = job.task.send(None)
            self._ask(job, said)
        except StopIteration as stop:
            self._finish(job, stop.value)
        except Exception as error:
            self._fail(job, error)

    def _finish(self, job: Job, result: Any) -> None:
        self.counters.done += 1
        self._end(job)
        _resolve(lambda: job.future.set_result(result))

    def _fail(self, job: Job, error: BaseException) -> None:
        self.counters.failed += 1
        self._end(job)
        _resolve(lambda: job.future.set_exception(error))

    def _end(self, job: Job) -> None:
        """Close the task and give its place back, before the caller is answered: its next request finds it free."""
        try:
            job.task.close()
        except Exception:
            logger.exception("a task failed while it was closed")
        self.seconds_per_task += 0.1 * (time.monotonic() - job.begun - self.seconds_per_task)
        with self._lock:
            self._alive -= 1
            self._weight -= job.weight

    def _count(self, batch: list[Job], *, gradients: bool) -> None:
        rows = sum(len(_query(job).pixels) for job in batch)
        if gradients:
            self.counters.gradient_batches += 1
            self.counters.gradient_rows += rows
        else:
            self.counters.forward_batches += 1
            self.counters.forward_rows += rows


def _query(job: Job) -> Query:
    assert job.query is not None, "a job in line has a query"
    return job.query


def _late(job: Job) -> DeadlineExceeded:
    return DeadlineExceeded(f"not done after {time.monotonic() - job.begun:.1f} s")


def _resolve(answer: Callable[[], None]) -> None:
    with contextlib.suppress(InvalidStateError):  # the caller left in this very moment
        answer()

"""The engine: takes tasks from any thread, has a driver work on them, and replaces a driver that fails.

app/engine/driver.py says how the tasks share the network.
"""

import logging
import math
import queue
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

import torch

from app.engine.admission import Admission
from app.engine.batches import RowLimit
from app.engine.counters import Counters
from app.engine.deadline import Deadline
from app.engine.driver import Driver
from app.engine.observer import Observer
from app.engine.outputs import OutputCheck, Report
from app.engine.pace import Pace
from app.engine.progress import Listener
from app.engine.shared_parts import Shared
from app.engine.submission import Submission
from models.query import Network, Task

logger = logging.getLogger(__name__)
Result = TypeVar("Result")
WATCH_S = 0.25
"""Seconds between two looks at the driver."""
HANG_S = 60.0
"""Seconds that one step of the driver, mostly a batch, may take; after that it counts as hanging."""
MOST_FAILURES = 3
"""Failures within FAILURES_S seconds after which the engine is not started again."""
FAILURES_S = 600.0


class EngineFailed(RuntimeError):
    """The engine failed while it worked on the request; try again after `retry_after_s` seconds."""

    retry_after_s = 1


class Engine:
    """Drives tasks on one device; `submit` may be called from any thread.

    At most `max_rows` rows go through a network at once, and fewer where more do not pay off; the number is halved for
    good when the device runs out of memory. At most `max_tasks` tasks are alive. Passes on a CPU run on `threads`
    threads, or on as many as PyTorch gives any thread.

    A driver whose thread ends, or whose step takes more than `hang_s` seconds, is replaced by a new one, and the tasks
    that it worked on fail with EngineFailed. After MOST_FAILURES within FAILURES_S seconds none is started any more:
    `broken` is true, and `on_broken` is called. `on_not_finite` hears of networks whose outputs are no numbers, and
    `observer` of every batch.
    """

    def __init__(
        self,
        *,
        max_rows: int = 32,
        max_tasks: int = 64,
        threads: int | None = None,
        hang_s: float = HANG_S,
        on_not_finite: Report | None = None,
        on_broken: Callable[[], None] | None = None,
        observer: Observer | None = None,
    ) -> None:
        self.threads = threads or torch.get_num_threads()
        self.counters = Counters()
        self.admission = Admission(max_tasks, self.counters)
        self.broken = False
        self._hang_s = hang_s
        self._on_broken = on_broken
        self._failures: list[float] = []
        self._inbox: queue.SimpleQueue[Submission | None] = queue.SimpleQueue()
        self._shared = Shared(
            self._inbox,
            self.admission,
            self.counters,
            OutputCheck(on_not_finite),
            RowLimit(max_rows),
            self.threads,
            observer=observer,
        )
        self._ended = threading.Event()
        self._lock = threading.Lock()
        self._driver = self._start_driver()
        threading.Thread(target=self._watch, name="engine-watch", daemon=True).start()

    @property
    def max_rows(self) -> int:
        """The largest number of rows in a batch."""
        return self._shared.limit.rows

    def limit_rows(self, rows: int) -> None:
        """Let batches have so many rows at most, or fewer as before."""
        self._shared.limit.rows = min(self._shared.limit.rows, rows)

    @property
    def alive(self) -> int:
        """Number of requests and tasks that were admitted and have not ended."""
        return self.admission.alive

    @property
    def waiting(self) -> int:
        """Number of tasks that wait for a batch."""
        return self._inbox.qsize() + self._driver.waiting

    @property
    def computing(self) -> int:
        """Number of tasks whose queries the network is answering."""
        return self._driver.computing

    @property
    def works(self) -> bool:
        """Whether tasks are being worked on, or would be at once: false while a driver is dead or hanging."""
        return not self.broken and self._driver.alive and not self._hangs(self._driver)

    def submit(
        self,
        task: Task[Result],
        network: Network,
        *,
        deadline_s: float = math.inf,
        deadline: Deadline | None = None,
        on_progress: Listener | None = None,
        place: Pace | None = None,
        sequel: bool = False,
    ) -> "Future[Result]":
        """Let the task join at the next tick; cancelling the future makes it leave at the tick after that.

        `on_progress` is called on the engine's thread. `deadline_s` seconds after this call DeadlineExceeded is thrown
        into the task, and what it then returns or raises goes to the future; or at a `deadline`, which can be put off
        meanwhile. `place` is one that was admitted before;
        it is released when the task ends. A `sequel` finishes work whose earlier task has ended; it is admitted even if
        the engine is full, since a refusal would lose that work. Raises Overloaded, TooLate, ShuttingDown,
        RequestHasEnded if the place is free again, and EngineFailed if the engine is broken.
        """
        if self.broken:
            raise EngineFailed("the service has failed and is about to end: try again in a moment")
        if place is None:
            place = Pace(getattr(task, "__name__", ""))
            self.admission.admit(place, deadline_s, is_sequel=sequel)
        self.admission.give_to_task(place)
        deadline = deadline or Deadline(time.monotonic() + deadline_s)
        submission = Submission(task, network, on_progress, deadline, place)
        self._inbox.put(submission)
        if self.broken:  # since the check above
            self._refuse_inbox(EngineFailed("the service has failed and is about to end: try again in a moment"))
        return submission.future

    def check_room(self) -> None:
        """Raise what `submit` would raise now, before work is put into preparing a task."""
        self.admission.check()

    def end_by(self, when: float) -> None:
        """Let every task, also those to come, have its deadline at `when` at the latest, by time.monotonic().

        A task that returns no result then ends with ShuttingDown.
        """
        self._shared.end_at = when

    def close(self, *, timeout_s: float | None = None) -> None:
        """Take no new tasks, finish those that are alive and stop the thread; wait `timeout_s` seconds at most."""
        self.admission.close()
        self._inbox.put(None)  # wakes the thread
        self._ended.wait(timeout_s)

    def _start_driver(self) -> Driver:
        driver = Driver(self._shared, self._driver_ended)
        driver.start()
        return driver

    def _driver_ended(self, driver: Driver, error: BaseException | None) -> None:
        """Called at the end of a driver's thread, on that thread."""
        if driver is not self._driver:  # it was replaced before
            return
        if error is None:
            self._ended.set()
            return
        logger.critical("the engine failed; every task in flight is answered with an error", exc_info=error)
        self._replace(driver, "the service failed while it worked on this request: try again in a moment")

    def _hangs(self, driver: Driver) -> bool:
        since = driver.busy_since
        return since > 0 and time.monotonic() > since + self._hang_s

    def _watch(self) -> None:
        """Replace a driver that hangs, or whose thread has ended without a word."""
        while not self._ended.wait(WATCH_S):
            driver = self._driver
            if self._hangs(driver):
                logger.critical("the engine has hung for %g s; it is replaced", self._hang_s)
                self._replace(driver, "the model did not answer: try again in a moment, or ask another model")
            elif not driver.alive:
                logger.critical("the engine's thread has ended; it is replaced")
                self._replace(driver, "the service failed while it worked on this request: try again in a moment")

    def _replace(self, driver: Driver, reason: str) -> None:
        """Answer the driver's tasks with an error and let another driver take its place, unless too many failed."""
        with self._lock:
            if driver is not self._driver or self.broken:
                return
            self.counters.driver_failures += 1
            now = time.monotonic()
            self._failures = [failure for failure in self._failures if failure > now - FAILURES_S] + [now]
            self.broken = len(self._failures) >= MOST_FAILURES
            if not self.broken:
                self._driver = Driver(self._shared, self._driver_ended)
        driver.abandon(EngineFailed(reason))
        if not self.broken:
            self._driver.start()
            return
        logger.critical("the engine failed %d times within %g s and is not started again", MOST_FAILURES, FAILURES_S)
        self._refuse_inbox(EngineFailed(reason))
        self._ended.set()
        if self._on_broken is not None:
            self._on_broken()

    def _refuse_inbox(self, error: Exception) -> None:
        while True:
            try:
                submission = self._inbox.get(block=False)
            except queue.Empty:
                return
            if submission is not None:
                self.admission.release_after_task(submission.pace)
                submission.fail(error)

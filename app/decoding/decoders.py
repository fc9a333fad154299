"""The service's decoder processes and the threads that wait for them, with a bounded number of pictures in line."""

import contextlib
import logging
import os
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from functools import partial
from typing import TypeVar, get_args

from app.decoding.process import CannotDecode, DecoderProcess, EndReason
from app.memory.budget import seconds_until
from app.telemetry.record import current_record
from models.decoding.levels import Levels
from models.query import DeadlineExceeded

logger = logging.getLogger(__name__)
Result = TypeVar("Result")
THREADS = 16
"""Number of pictures that are decoded at the same time, or wait for memory, at most; others wait in line."""
MOST_PROCESSES = 8
"""Processes at most, of which there are two for each core: as some pictures are decoded at the same time, and ready at
about the same time, the network takes them in larger batches. With one for each of two cores POST /classify was 0.95
times as fast."""
SLOW_S = 1.0
"""Seconds after which a picture counts as slow: another process then takes its place, and it gets on behind others."""
MOST_EXTRA = 4
"""Processes beyond the ordinary number, in the place of those that are slow or wait for memory."""
WATCH_S = 0.25
"""Seconds between two looks at the processes that are busy."""
NEWEST = 0.1
"""Weight of the latest picture in the mean time of decoding; older ones count less and less."""


class Decoders:
    """Decodes pictures in `processes` child processes, and in more of them while some pictures are slow.

    `start` begins to start the processes, which takes some tenths of a second; `close` ends them. All methods may be
    called from any thread.
    """

    def __init__(self, processes: int | None = None) -> None:
        self.processes = processes or min(MOST_PROCESSES, 2 * (os.cpu_count() or 1))
        self.waiting = 0
        """Number of calls of `submit` that have not ended, whether they wait or work."""
        self.ended: Counter[EndReason] = Counter(dict.fromkeys(get_args(EndReason), 0))
        self._threads = ThreadPoolExecutor(THREADS, "decoder")
        self._idle: list[DecoderProcess] = []
        self._busy: set[DecoderProcess] = set()
        self._starting = 0
        self._changed = threading.Condition()
        self._mean_s = 0.0
        self._closed = threading.Event()
        self._watch = threading.Thread(target=self._end_overdue, name="decoder-watch", daemon=True)
        self._watch.start()

    def start(self) -> None:
        """Start the processes in the background, so that the first picture does not wait for one."""
        for _ in range(self.processes):
            self._threads.submit(self._start_idle)

    def close(self) -> None:
        """Finish what was submitted, and end the processes."""
        self._threads.shutdown()
        self._closed.set()
        self._watch.join()
        for process in [*self._idle, *self._busy]:
            process.end()

    def submit(self, work: Callable[..., Result], *arguments: object, **options: object) -> "Future[Result]":
        """Call `work`, which may call `decode`, on one of the threads that wait for the processes."""
        with self._changed:
            self.waiting += 1
        asked, context = time.monotonic(), copy_context()  # with the record of the request

        call = [partial(work, *arguments, **options)]

        def work_for_request() -> Result:
            if (record := current_record()) is not None:
                record.add("queued", time.monotonic() - asked)
            return call.pop()()

        try:
            future = self._threads.submit(context.run, work_for_request)
        except BaseException:
            self._leave()
            raise
        # One that is cancelled stays in the line of the threads, but must not keep its picture there.
        future.add_done_callback(lambda _: call.clear())
        future.add_done_callback(lambda _: self._leave())
        return future

    def _leave(self) -> None:
        with self._changed:
            self.waiting -= 1

    @property
    def idle(self) -> int:
        """Number of processes that wait for a picture."""
        return len(self._idle)

    @property
    def busy(self) -> int:
        """Number of processes that decode a picture, or wait for memory for it; slow ones included."""
        return len(self._busy)

    @property
    def slow(self) -> int:
        """Number of processes whose picture is slow."""
        return sum(process.is_slow for process in self._busy.copy())

    def seconds_ahead(self) -> float:
        """About how long a picture that is submitted now waits until it is decoded, by the mean time of the latest."""
        return self._mean_s * max(0, self.waiting - self.processes) / self.processes

    def decode(
        self,
        file: bytes,
        *,
        max_pixels: int,
        until: float,
        shorter: int | None = None,
        limit_name: str = "",
        admit: Callable[[int], None],
        free_pixels: int = 0,
    ) -> Levels:
        """Decode a picture as `models.decoding.levels.read_levels` does; DeadlineExceeded after `until`.

        `admit` is not called for a picture of at most `free_pixels` pixels. `until` is on the clock of
        time.monotonic(). Raises CannotDecode where no process can be started.
        """
        request = {
            "max_pixels": max_pixels,
            "shorter": shorter,
            "limit_name": limit_name,
            "free_pixels": free_pixels,
        }
        asked, record = time.monotonic(), current_record()
        with self._process(until) as process:
            begun = time.monotonic()
            try:
                read = process.decode(file, request, admit, until=until)
            finally:
                ended = time.monotonic()
                if record is not None:
                    record.add("queued", begun - asked + process.waited_s)
                    record.spend("decoded", begun + process.waited_s, ended)
            self._mean_s += NEWEST * (ended - begun - self._mean_s)
            return read

    @contextlib.contextmanager
    def _process(self, until: float) -> Iterator[DecoderProcess]:
        process = self._take(until)
        try:
            yield process
        finally:
            with self._changed:
                self._busy.discard(process)
                enough = len(self._idle) + self._ordinary() >= self.processes
                if process.alive and not process.is_slow and not enough:
                    self._idle.append(process)
                    process = None  # type: ignore[assignment]
                self._changed.notify_all()
            if process is not None:
                self.ended[process.end_reason or "surplus"] += 1
                process.end()

    def _take(self, until: float) -> DecoderProcess:
        """An idle process or a new one, once there is room for it; raises DeadlineExceeded and CannotDecode."""
        with self._changed:
            while True:
                if not self._changed.wait_for(
                    lambda: self._idle or self._ordinary() + self._starting < self.processes,
                    seconds_until(until),
                ):
                    raise DeadlineExceeded("the picture waited too long to be decoded: try again when fewer are sent")
                if not self._idle:
                    break
                process = self._idle.pop()
                if process.alive:
                    self._busy.add(process)
                    return process
                self._bury(process)
            self._starting += 1
        return self._started(self._busy.add)

    def _bury(self, process: DecoderProcess) -> None:
        """Count a process that ended while it was idle: the operating system, or somebody, has killed it."""
        logger.warning("a decoder process ended while it was idle; another one takes its place")
        self.ended["crashed"] += 1
        process.end()

    def _start_idle(self) -> None:
        with self._changed:
            if len(self._idle) + self._ordinary() + self._starting >= self.processes:
                return
            self._starting += 1
        with contextlib.suppress(CannotDecode):  # the first picture tries again, and says so if it fails
            self._started(self._idle.append)

    def _started(self, keep: Callable[[DecoderProcess], object]) -> DecoderProcess:
        """A new process, which was counted under `_starting` until now."""
        process: DecoderProcess | None = None
        try:
            process = DecoderProcess()
            process.wait_until_ready()
        finally:
            with self._changed:
                self._starting -= 1
                if process is not None and process.alive:
                    keep(process)
                self._changed.notify_all()
        return process

    def _ordinary(self) -> int:
        """Number of busy processes that count: of those that are slow or wait for memory, MOST_EXTRA do not."""
        extra = sum(process.is_slow or process.is_waiting for process in self._busy)
        return len(self._busy) - min(extra, MOST_EXTRA)

    def _end_overdue(self) -> None:
        """End processes whose picture is overdue, and let others pass those that are slow."""
        while not self._closed.wait(WATCH_S):
            now = time.monotonic()
            for process in list(self._busy):
                begun, until = process.begun, process.until
                if not begun:
                    continue
                if now > until:
                    process.kill(begun, DeadlineExceeded("the picture was not decoded in time: send a smaller one"))
                elif now > begun + SLOW_S and not process.is_slow:
                    process.slow_down()
                    with self._changed:
                        self._changed.notify_all()
            self._end_slowest()

    def _end_slowest(self) -> None:
        """Where so many pictures are slow that they hold up all others, give up the one that has taken longest."""
        slow = {process: process.begun for process in list(self._busy) if process.is_slow and process.begun}
        if len(slow) >= self.processes + MOST_EXTRA:
            process = min(slow, key=slow.__getitem__)
            error = DeadlineExceeded("the picture takes long to decode, and others wait: send a smaller one")
            process.kill(slow[process], error)

"""A decoder process, as the service sees it: started, asked, and ended."""

import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Literal, cast

import numpy as np

from app.decoding.child import error_of
from app.decoding.messages import Fields, Stream, receive, send
from models.decoding.errors import BrokenPicture
from models.decoding.levels import Levels

logger = logging.getLogger(__name__)
SOURCES = Path(__file__).parents[2]
"""The folder in which Python finds the packages `app` and `models`."""
PROGRAM = ("-m", "app.decoding.child")
START_S = 60.0
"""Seconds that the start of a process may take; it usually takes tenths of a second."""
PIPE_BYTES = 1 << 20
"""Size of the pipes' buffers, where the operating system lets it be set (Linux): a picture then takes fewer turns."""
ENVIRONMENT = {
    # Each thread takes address space.
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MALLOC_ARENA_MAX": "1",
    # glibc keeps so much freed memory for the next small picture. Otherwise each begins with page faults: a photo of
    # 451 x 300 pixels then takes an eighth longer.
    "MALLOC_MMAP_THRESHOLD_": "4000000",
    "MALLOC_TRIM_THRESHOLD_": "4000000",
}
"""Environment variables that a process has beside those of the service."""
SIMPLER = "save it again as PNG or JPEG"
"""What to do with a file that costs too much; the end of an error message."""


EndReason = Literal["surplus", "refused", "overdue", "over_cpu_time", "crashed"]
"""Why a process ended: it was one too many after a slow picture; there was no memory for its picture; the deadline of
the request had passed; its picture took too much computing time; or it failed."""


class CannotDecode(RuntimeError):
    """A decoder process cannot be started, or somebody has killed it; try again after `retry_after_s` seconds."""

    retry_after_s = 5


class DecoderProcess:
    """A process that decodes one picture at a time. `decode` is called on one thread, and `kill` on any.

    `begun` is when it began to decode the present picture, on the clock of time.monotonic() (0 while it decodes none),
    and `until` when the picture must be done.
    """

    def __init__(self) -> None:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("MIRAGE_")}
        environment |= {"PYTHONPATH": os.pathsep.join(filter(None, [str(SOURCES), environment.get("PYTHONPATH")]))}
        environment |= ENVIRONMENT
        try:
            self._process = subprocess.Popen(  # noqa: S603 (this program itself, no text of a client)
                [sys.executable, *PROGRAM],
                bufsize=0,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,  # libtiff and others print what they think of a file
                env=environment,
                start_new_session=True,  # so that Ctrl-C in a terminal reaches the service alone
            )
        except OSError as error:
            raise CannotDecode(f"no process that decodes pictures can be started ({error}): try again later") from error
        self._input, self._output = cast(Stream, self._process.stdin), cast(Stream, self._process.stdout)
        for pipe in (self._process.stdin, self._process.stdout):
            _enlarge(pipe.fileno())  # type: ignore[union-attr]
        self._killed: Exception | None = None
        self._lock = threading.Lock()
        self.begun = self.until = 0.0
        self.is_slow = self.is_waiting = False
        self.waited_s = 0.0  # of the latest picture: for memory
        self.end_reason: EndReason | None = None

    @property
    def number(self) -> int:
        """The number of the process in the operating system."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether the process has not ended, and is not being ended."""
        return self._killed is None and self._process.poll() is None

    def wait_until_ready(self) -> None:
        """Wait until the process has imported all that it needs; raises CannotDecode if it ends or takes too long."""
        timer = threading.Timer(START_S, self._process.kill)
        timer.start()
        try:
            receive(self._output)
        except (EOFError, OSError) as error:
            self.end()
            raise CannotDecode("the process that decodes pictures has ended at its start: try again later") from error
        finally:
            timer.cancel()

    def decode(self, file: bytes, request: Fields, admit: Callable[[int], None], *, until: float) -> Levels:
        """Decode a picture; `admit` is called as that of `read_levels`, for pictures above `free_pixels`.

        Raises what `read_levels` raises, what `admit` raises, BrokenPicture for a picture that costs too much, and
        DeadlineExceeded. After an error of `admit`, or if the process has ended, it cannot be used again: `alive`.
        """
        self.until, self.waited_s = until, 0.0  # before `begun`, by which the watch knows that it counts
        self.begun = time.monotonic()
        try:
            send(self._input, request, file)
            answer, data = receive(self._output)
            if "pixels" in answer:
                asked, self.begun, self.is_waiting = time.monotonic(), 0.0, True  # it is not slow while it waits
                try:
                    admit(answer["pixels"])
                except BaseException:
                    self.end_reason = "refused"
                    self.end()
                    raise
                finally:
                    self.waited_s, self.is_waiting = time.monotonic() - asked, False
                self.begun = time.monotonic()
                send(self._input, {})
                answer, data = receive(self._output)
        except (EOFError, OSError) as error:
            raise self._reason_of_end() from error
        except BaseException:  # part of the answer may be left in the pipe, and must not be taken for the next one
            self.end()
            raise
        finally:
            with self._lock:
                self.begun = 0.0
        return _levels(answer, data)

    def kill(self, begun: float, reason: Exception) -> None:
        """End the process if it still decodes the picture that it began then; that picture fails with the reason."""
        with self._lock:
            if self.begun == begun:
                self._killed = reason
                self._process.kill()

    def slow_down(self) -> None:
        """Let every other process go first: this picture takes longer than others."""
        self.is_slow = True
        if hasattr(os, "setpriority"):
            try:
                os.setpriority(os.PRIO_PROCESS, self.number, 10)
            except OSError:  # it has just ended
                return

    def end(self) -> None:
        """End the process and wait for its end."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            pipe.close()  # type: ignore[union-attr]

    def _reason_of_end(self) -> Exception:
        """Why the process has ended, as an error for the picture that it was decoding."""
        self._process.kill()
        code = self._process.wait()
        self.end()
        if self._killed is not None:
            self.end_reason = "overdue"
            return self._killed
        if hasattr(signal, "SIGXCPU") and code == -signal.SIGXCPU:
            self.end_reason = "over_cpu_time"
            return BrokenPicture("the picture takes far more time to decode than its size justifies", SIMPLER)
        self.end_reason = "crashed"
        if hasattr(signal, "SIGKILL") and code == -signal.SIGKILL:  # by the system, as where memory is short
            logger.error("a decoder process was killed while it decoded a picture")
            return CannotDecode("the process that decoded the picture was killed: try again later")
        logger.error("a decoder process ended with code %d while it decoded a picture", code)
        return BrokenPicture("the decoder failed on this picture", SIMPLER)


def _levels(answer: Fields, data: bytearray) -> Levels:
    """The picture in an answer; raises the error that the answer reports instead."""
    if (error := error_of(answer)) is not None:
        raise error
    if answer.get("error") == "MemoryError":
        raise BrokenPicture("the picture takes far more memory to decode than its size justifies", SIMPLER)
    if "error" in answer:
        raise RuntimeError(f"the decoder failed:\n{answer['traceback']}")
    values = np.frombuffer(data, np.uint8).reshape(answer["shape"])
    return Levels(values, answer["format"], answer["width"], answer["height"])


def _enlarge(pipe: int) -> None:
    try:
        import fcntl

        fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
    except (ImportError, AttributeError, OSError):  # no Linux, or more than this user may take
        return

"""What decoding one file takes, and whether that is as promised. Linux only: memory is read from /proc."""

import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.memory.costs import IN_DECODER
from models.decoding.errors import PictureError

LONGEST_S = 2.0
"""Seconds of the processor that a file may take."""
SPARE_BYTES = 200_000_000
"""Bytes of memory that a file may take beyond itself and what is reserved for its pixels."""
GIVEN_UP_S = 30.0
"""Seconds of the processor after which the system ends the process."""

Read = Callable[..., Any]
"""`models.decoding.levels.read_levels`, or what a test plants in its place; it has the option `admit`."""


@dataclass(frozen=True)
class Cost:
    """What decoding one file took.

    `seconds` are those of the processor, and `grown_bytes` is by how much memory grew to its peak. `reserved_bytes` are
    the file and what is reserved in a decoder process for the pixels that it asked for. `outcome` is "picture" or the
    name of the error, and `fault` says what else is wrong; it is empty if nothing is.
    """

    name: str
    seconds: float
    grown_bytes: int
    reserved_bytes: int
    outcome: str
    fault: str = ""

    @property
    def faults(self) -> list[str]:
        """A sentence for each promise that is broken."""
        found = [f"{self.name}: {self.fault}"] if self.fault else []
        if self.seconds > LONGEST_S:
            found.append(
                f"{self.name}: decoding took {self.seconds:.1f} s of the processor, and {LONGEST_S} s are promised"
            )
        if self.grown_bytes > self.reserved_bytes + SPARE_BYTES:
            found.append(
                f"{self.name}: decoding took {self.grown_bytes / 1e6:.0f} MB, and {self.reserved_bytes / 1e6:.0f} MB "
                f"and {SPARE_BYTES / 1e6:.0f} MB beyond them are allowed"
            )
        return found


def cost_of(name: str, data: bytes, read: Read) -> Cost:
    """Decode a file in this process, which the signal SIGPROF ends after GIVEN_UP_S seconds of the processor."""
    admitted = [0]
    fault = ""
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # the peak of memory is counted anew
    before, begun = _memory_bytes("VmRSS"), time.process_time()
    signal.setitimer(signal.ITIMER_PROF, GIVEN_UP_S)
    try:
        values = read(data, admit=admitted.append).values
        outcome = "picture"
        if values[0].size > admitted[-1]:
            fault = f"it asked for {admitted[-1]} pixels, and has {values[0].size}"
    except PictureError as error:
        outcome = type(error).__name__
        if not (error.fault and error.remedy):
            fault = f"the error {error!r} does not say what is wrong and what to do next"
    except Exception as error:
        outcome = type(error).__name__
        fault = f"{outcome} is no documented error ({str(error)[:200]})"
    signal.setitimer(signal.ITIMER_PROF, 0)
    seconds, grown = time.process_time() - begun, _memory_bytes("VmHWM") - before
    return Cost(name, seconds, grown, IN_DECODER * max(admitted) + len(data), outcome, fault)


def _memory_bytes(field: str) -> int:
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(1024 * int(line.split()[1]) for line in lines if line.startswith(field))

"""The program of a decoder process: it decodes one picture after the other, each within limits of time and memory.

It reads requests from its standard input and writes answers to its standard output, until the input ends. It imports
neither PyTorch nor the rest of the service, and gets no settings and no API keys.
"""

import contextlib
import ctypes
import io
import math
import os
import signal
import sys
import traceback
from pathlib import Path

import numpy as np

from app.decoding.messages import Fields, receive, send
from models.decoding import errors
from models.decoding.errors import PictureError
from models.decoding.levels import read_levels

try:
    import resource
except ImportError:  # Windows has no such limits; the service still ends a process that takes too long
    resource = None  # type: ignore[assignment]

FREE_BYTES = 160_000_000
"""Memory that a picture may take whatever its size, for the decoder's own tables and threads."""
BYTES_PER_PIXEL = 40
"""Memory that decoding may take for each pixel; what is read here takes 14 to 25 bytes."""
BYTES_PER_BYTE = 4
"""Memory that may be taken for each byte of the file: copies of it."""
LARGE_BYTES = 1_000_000
"""Size of a picture after which freed memory is given back to the operating system."""
FREE_SECONDS = 2
"""Seconds of computing time that a picture may take whatever its size."""
PIXELS_PER_SECOND = 1_000_000
"""Pixels for which decoding may take a second more; what is read here takes a tenth of that."""

ENDLESS_S = 1e9
"""Seconds of computing time that no process reaches: 31 years."""


def main() -> None:
    """Answer requests until the standard input ends."""
    # Ends with the service, and with nothing else: a terminal or a supervisor signals a whole group of processes.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    requests = io.FileIO(os.dup(0), "r")
    answers = io.FileIO(os.dup(1), "w")
    os.dup2(2, 1)  # what a library prints must not end up among the answers
    if resource is not None:
        signal.setitimer(signal.ITIMER_PROF, ENDLESS_S)  # which counts down, for `_computed_s`
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with contextlib.suppress(OSError):  # Linux: where memory runs out, this process ends and not the service
        Path("/proc/self/oom_score_adj").write_text("1000")
    send(answers, {"ready": True})
    with contextlib.suppress(EOFError, BrokenPipeError):
        while True:
            _answer(requests, answers, *receive(requests))


def _answer(requests: io.FileIO, answers: io.FileIO, request: Fields, file: bytearray) -> None:
    def admit(pixels: int) -> None:
        if pixels > request["free_pixels"]:
            send(answers, {"pixels": pixels})
            receive(requests)  # it comes when there is room for the pixels
        _limit(len(file), pixels)

    options = {name: request[name] for name in ("max_pixels", "shorter", "limit_name")}
    _limit(len(file), 0)
    answer: Fields
    values: np.ndarray | None = None
    try:
        read = read_levels(bytes(file), **options, admit=admit)
    except PictureError as error:
        answer = {"error": type(error).__name__, "fault": error.fault, "remedy": error.remedy}
    except MemoryError:
        answer = {"error": "MemoryError"}
    except Exception:
        answer = {"error": "Exception", "traceback": traceback.format_exc()}
    else:
        values = read.values
        answer = {"format": read.format, "width": read.width, "height": read.height, "shape": values.shape}
        del read
    _unlimit()
    send(answers, answer, b"" if values is None else values.data.cast("B"))
    if values is not None and values.nbytes > LARGE_BYTES:
        del values
        _return_freed_memory()


def _limit(file_bytes: int, pixels: int) -> None:
    """Let this process take so much more time and memory as a picture of this size may need.

    Beyond the time the system ends the process. Beyond the memory a MemoryError is raised, or a library gives up.
    """
    if resource is None:
        return
    seconds = math.ceil(_computed_s()) + FREE_SECONDS + pixels // PIXELS_PER_SECOND
    _set(resource.RLIMIT_CPU, seconds)
    taken = _address_space()
    if taken is not None:
        size = taken + FREE_BYTES + BYTES_PER_BYTE * file_bytes + BYTES_PER_PIXEL * pixels
        _set(resource.RLIMIT_AS, size)


def _computed_s() -> float:
    """Seconds of computing time of this process, as the system counts them for its limit.

    It counts a whole tick of its clock (some milliseconds) for whoever runs at the end of one, and time.process_time()
    the exact time. After minutes of short pictures they may be seconds apart: the limit would lie in the past.
    """
    return ENDLESS_S - signal.getitimer(signal.ITIMER_PROF)[0]


def _unlimit() -> None:
    if resource is not None:
        for limit in (resource.RLIMIT_CPU, resource.RLIMIT_AS):
            _set(limit, resource.getrlimit(limit)[1])


def _set(limit: int, value: int) -> None:
    """Set the soft limit, as far as the hard one, which the operator may have set, allows it."""
    hard = resource.getrlimit(limit)[1]
    if hard != resource.RLIM_INFINITY:
        value = hard if value == resource.RLIM_INFINITY else min(value, hard)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(limit, (value, hard))


def _address_space() -> int | None:
    """Bytes of this process's address space; None where the operating system does not say (not on Linux)."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return None


def _return_freed_memory() -> None:
    """After a large picture, let the process be as small as before; only glibc needs to be told."""
    if sys.platform.startswith("linux"):
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        if trim is not None:
            trim(0)


def error_of(answer: Fields) -> PictureError | None:
    """The error of the decoder that an answer reports; None for any other answer."""
    kind = getattr(errors, str(answer.get("error")), None)
    return None if kind is None else kind(answer["fault"], answer["remedy"])


if __name__ == "__main__":
    main()

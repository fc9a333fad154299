"""glibc's memory allocator: settings under which passes are faster, and when freed memory goes back to the system."""

import asyncio
import ctypes
import gc
import logging
import sys
from collections.abc import Callable

logger = logging.getLogger(__name__)
TRIM_THRESHOLD, MMAP_THRESHOLD, ARENA_MAX = -1, -3, -8
"""Parameters of `mallopt`, as numbered in glibc's malloc.h."""
INTERVAL_S = 30.0
"""Seconds between two times that freed memory is returned."""


def keep_freed_memory() -> bool:
    """Let the process keep the memory that it frees, for its next pass; returns whether glibc accepted that.

    By default glibc returns each block of more than 32 MB to the system at once, and the next layer's block begins with
    a page fault for every 4 KB. Without that, a pass with gradients of 16 rows through MobileNetV2 takes half as long
    (docs/benchmarks.md). In return the process stays as large as it once was, until `return_freed_memory` is called.
    All threads use one arena, because the heaps of the others hold 64 MB at most.

    Call this before other threads start. Without glibc it does nothing. An older glibc takes no threshold above 32 MB:
    it refuses the first setting, and then the others, which alone would do harm, are not made.
    """
    mallopt = _of_glibc("mallopt")
    if mallopt is None:
        return False
    return all(mallopt(*setting) for setting in ((MMAP_THRESHOLD, 2**30), (TRIM_THRESHOLD, 2**31 - 1), (ARENA_MAX, 1)))


def return_freed_memory() -> None:
    """Give the memory that was freed and is not in use again back to the system; without glibc, do nothing.

    It takes milliseconds, during which other threads wait if they allocate memory.
    """
    malloc_trim = _of_glibc("malloc_trim")
    if malloc_trim is not None:
        malloc_trim(0)


async def return_freed_memory_regularly(then: Callable[[], object]) -> None:
    """Collect garbage and call `return_freed_memory` on a thread every INTERVAL_S seconds, and then `then`.

    It ends when it is cancelled. Python collects garbage, objects that refer to each other in a circle, when many new
    objects are made: an idle service makes none, and would keep the pictures of its last requests.

    It goes on while requests are at work: a service that is never idle would otherwise stay as large as it once was.
    """
    while True:
        await asyncio.sleep(INTERVAL_S)
        await asyncio.to_thread(_collect_and_return)
        try:
            then()
        except Exception:  # memory must be returned all the same, next time
            logger.exception("a task of every half minute failed")


def _collect_and_return() -> None:
    gc.collect()
    return_freed_memory()


def _of_glibc(name: str) -> Callable[..., int] | None:
    return getattr(ctypes.CDLL(None), name, None) if sys.platform.startswith("linux") else None

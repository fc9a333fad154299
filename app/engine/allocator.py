"""Settings of glibc's memory allocator under which passes through a network are faster."""

import ctypes
import sys

TRIM_THRESHOLD, MMAP_THRESHOLD, ARENA_MAX = -1, -3, -8
"""Parameters of `mallopt`, as numbered in glibc's malloc.h."""


def keep_freed_memory() -> bool:
    """Let the process keep the memory that it frees, for its next pass; returns whether glibc accepted that.

    By default glibc returns each block of more than 32 MB to the system at once, and the next layer's block begins with
    a page fault for every 4 KB. Without that, a pass with gradients of 16 rows through MobileNetV2 takes half as long
    (docs/benchmarks.md). In return the process stays as large as it once was. All threads use one arena, because the
    heaps of the others hold 64 MB at most.

    Call this before other threads start. Without glibc it does nothing. An older glibc takes no threshold above 32 MB:
    it refuses the first setting, and then the others, which alone would do harm, are not made.
    """
    if not sys.platform.startswith("linux"):
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    return all(mallopt(*setting) for setting in ((MMAP_THRESHOLD, 2**30), (TRIM_THRESHOLD, 2**31 - 1), (ARENA_MAX, 1)))

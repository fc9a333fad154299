"""glibc's memory allocator, told what a network's passes want of it."""

import ctypes
import sys

TRIM_THRESHOLD, MMAP_THRESHOLD, ARENA_MAX = -1, -3, -8
"""mallopt's parameters, by glibc's malloc.h."""


def keep_freed_memory() -> bool:
    """Let the process keep what it frees, for its next pass; whether that could be had.

    By default glibc gives each block of more than 32 MB back to the system at once, and the next layer's begins with a
    page fault for every 4 KB: of 16 rows of MobileNetV2 a pass with gradients takes half as long without
    (docs/benchmarks.md). In return the process stays as large as it once was. One arena for all threads, since the
    others' heaps hold 64 MB at most. To be called before other threads begin; nothing happens but on glibc, and nothing
    there where the first of it is refused: an older one takes no threshold above 32 MB, and the rest alone would harm.
    """
    if not sys.platform.startswith("linux"):
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    return all(mallopt(*each) for each in ((MMAP_THRESHOLD, 2**30), (TRIM_THRESHOLD, 2**31 - 1), (ARENA_MAX, 1)))

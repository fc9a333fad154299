"""When what the file system says of a file can be relied on to tell whether its bytes have changed."""

import os
import time

from training.data.sources.source import Identity

SETTLED_NS = 2 * 10**9
"""A file that changed so shortly before it was looked at may change again under the same time stamp: file systems count
time in steps of up to two seconds (FAT)."""


def identity_of(status: os.stat_result) -> Identity | None:
    """Device, inode, change time, size and modification time of a file; None where they do not prove anything.

    No program can set the change time (ctime), as it can the modification time: it moves with every write, rename and
    exchange. Windows has no such time.
    """
    if os.name != "posix" or max(status.st_ctime_ns, status.st_mtime_ns) > time.time_ns() - SETTLED_NS:
        return None
    return version_of(status)


def version_of(status: os.stat_result) -> Identity:
    """What tells one version of a file from others, as far as the file system knows."""
    return (status.st_dev, status.st_ino, status.st_ctime_ns, status.st_size, status.st_mtime_ns)

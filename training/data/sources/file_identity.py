"""The identity of a file: what the file system says about it, where this shows reliably whether the bytes changed."""

import os
import time

from training.data.sources.source import Identity

SETTLED_NS = 2 * 10**9
"""Nanoseconds that must have passed since the last change of a file before its time stamps prove anything: file systems
count time in steps of up to two seconds (FAT), so that a file may change again under the same time stamp."""


def identity_of(status: os.stat_result) -> Identity | None:
    """Device, inode, change time, size and modification time of a file; None where they do not prove anything.

    Programs can set the modification time but not the change time (ctime), which advances with every write, rename and
    replacement. Windows has no change time.
    """
    if os.name != "posix" or max(status.st_ctime_ns, status.st_mtime_ns) > time.time_ns() - SETTLED_NS:
        return None
    return version_of(status)


def version_of(status: os.stat_result) -> Identity:
    """Device, inode, change time, size and modification time, which tell one version of a file from another."""
    return (status.st_dev, status.st_ino, status.st_ctime_ns, status.st_size, status.st_mtime_ns)

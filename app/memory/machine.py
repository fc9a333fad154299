"""How much memory this process may take at most, and how much it has taken, as the operating system says."""

import os
import sys
from pathlib import Path

try:
    import resource
except ImportError:  # Windows
    resource = None  # type: ignore[assignment]

SHARE = 0.8
"""Part of the memory of a machine or container that the service takes by default; the rest is for everything else."""
CGROUPS = Path("/sys/fs/cgroup")
OWN_CGROUP = Path("/proc/self/cgroup")
STATM = Path("/proc/self/statm")


def available_bytes() -> int:
    """Memory of the machine, or of the container where that has a lower limit (a Linux control group)."""
    limits = [machine_bytes(), *_cgroup_limits()]
    return min(limits)


def machine_bytes() -> int:
    """Memory of the whole machine."""
    if sys.platform == "win32":
        return _windows_bytes()
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def peak_bytes() -> int:
    """The most memory that this process has held so far; 0 where the operating system does not say (on Windows)."""
    if resource is None:
        return 0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak


def resident_bytes() -> int:
    """The memory that this process holds now; 0 where the operating system does not say (elsewhere than on Linux)."""
    try:
        pages = int(STATM.read_text(encoding="ascii").split()[1])
    except OSError:
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")


def _cgroup_limits() -> list[int]:
    """The limits of the control group of this process and of those around it; without control groups, none.

    A container usually sees its own group as the root of the tree.
    """
    try:
        lines = OWN_CGROUP.read_text().splitlines()
    except OSError:
        return []
    limits = []
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers == "":  # version 2: one tree for all controllers
            tree, name = CGROUPS, "memory.max"
        elif "memory" in controllers.split(","):
            tree, name = CGROUPS / "memory", "memory.limit_in_bytes"
        else:
            continue
        group = tree / path.lstrip("/")
        limits += [_limit(folder / name) for folder in (group, *group.parents) if folder.is_relative_to(tree)]
    return [limit for limit in limits if limit is not None]


def _limit(file: Path) -> int | None:
    """The number in the file; None where there is no file, or no limit (`max`)."""
    try:
        return int(file.read_text())
    except (OSError, ValueError):
        return None


def _windows_bytes() -> int:
    import ctypes

    class Status(ctypes.Structure):
        """MEMORYSTATUSEX of the Windows API."""

        _fields_ = (
            ("length", ctypes.c_ulong),
            ("load", ctypes.c_ulong),
            ("total", ctypes.c_ulonglong),
            ("rest", ctypes.c_ulonglong * 6),
        )

    status = Status(length=ctypes.sizeof(Status))
    ctypes.windll.kernel32.GlobalMemoryStatusEx(ctypes.byref(status))  # type: ignore[attr-defined, unused-ignore]
    return int(status.total)

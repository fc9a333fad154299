"""The most memory that a process and its children took during a run, and what they take when it is over. On Linux."""

import contextlib
import threading
import time
from pathlib import Path
from typing import Self

EVERY_S = 0.05
"""Seconds between two looks."""


def resident_bytes(pid: int) -> int:
    """Resident memory of the process and its children, in a hundredth of the time that `memory_bytes` takes.

    It is the sum of what is their own, the files that the process has in memory (libraries, above all), and the files
    of the one child that has most: children all have the same. So it is hardly more than `memory_bytes`.
    """
    own = [_fields(process, "status") for process in (pid, *children(pid))]
    files = [status.get("RssFile", 0) for status in own]
    return (
        sum(status.get("RssAnon", 0) + status.get("RssShmem", 0) for status in own)
        + files[0]
        + max(files[1:], default=0)
    )


def memory_bytes(pid: int) -> int:
    """Memory of the process and its children; a page that several of them share counts once (Pss)."""
    return sum(_fields(process, "smaps_rollup").get("Pss", 0) for process in (pid, *children(pid)))


def children(pid: int) -> list[int]:
    """The child processes of a process, and theirs; without those that are only being started.

    Between vfork and exec a child is its parent, whose memory would count twice.
    """
    found = []
    for file in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):  # the thread or the process has ended
            for child in map(int, file.read_text(encoding="ascii").split()):
                if _command(child) != _command(pid):
                    found += [child, *children(child)]
    return found


def _command(pid: int) -> bytes:
    return Path(f"/proc/{pid}/cmdline").read_bytes()


def _fields(process: int, file: str) -> dict[str, int]:
    """The numbers of bytes in a file of /proc by their names; none of a process that has ended."""
    try:
        lines = Path(f"/proc/{process}/{file}").read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return {}
    return {
        name: 1024 * int(rest.split()[0])
        for name, _, rest in (line.partition(":") for line in lines if line.endswith(" kB"))
    }


class Peak:
    """The largest resident memory of a process and its children during a `with` block, as `bytes`."""

    def __init__(self, pid: int, *, every_s: float = EVERY_S) -> None:
        self.bytes = resident_bytes(pid)
        self._pid, self._every_s = pid, every_s
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def _look(self) -> None:
        while not self._ended.wait(self._every_s):
            self.bytes = max(self.bytes, resident_bytes(self._pid))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()


def settled_bytes(pid: int, at_most: float, *, within_s: float) -> int:
    """Memory of the process and its children as soon as it is `at_most` bytes, or after so many seconds."""
    until = time.monotonic() + within_s
    while (size := memory_bytes(pid)) > at_most and time.monotonic() < until:
        time.sleep(1)
    return size

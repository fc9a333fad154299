"""A limit of memory for a service, as a container has one: a control group, or else a limit of its address space."""

import contextlib
import os
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

CGROUPS = Path("/sys/fs/cgroup")
OWN_CGROUP = Path("/proc/self/cgroup")
JOIN = ("sh", "-c", 'echo $$ > "$0/cgroup.procs" && exec "$@"')
"""A command that goes into the group of the next argument, and then becomes the command of the others."""


@dataclass(frozen=True)
class Container:
    """`before` stands before the command of a service (soak/service.py), and `means` says how it is limited.

    `group` is the folder of its control group, if it has one.
    """

    means: str
    before: tuple[str, ...]
    group: Path | None = None

    @property
    def peak_bytes(self) -> int | None:
        """The most memory of the group so far, with the files that the system keeps in memory for it; else None."""
        return self._number("memory.max_usage_in_bytes", "memory.peak")

    @property
    def kills(self) -> int | None:
        """How many processes of the group the kernel has ended for want of memory; None without a control group."""
        for name in ("memory.oom_control", "memory.events"):
            with contextlib.suppress(OSError, TypeError):
                lines = (self.group / name).read_text(encoding="ascii").splitlines()  # type: ignore[operator]
                return next(int(line.split()[1]) for line in lines if line.startswith("oom_kill "))
        return None

    def _number(self, *names: str) -> int | None:
        for name in names:
            with contextlib.suppress(OSError, TypeError):
                return int((self.group / name).read_text(encoding="ascii"))  # type: ignore[operator]
        return None


@contextmanager
def container(limit: int) -> Iterator[Container]:
    """A container of `limit` bytes: a control group inside that of this process where one can be made.

    Where none can be made, the address space of each process is limited instead (prlimit). Its libraries and threads
    take some gigabytes of that, so it is 4 GB larger.
    """
    group = _made(limit)
    if group is None:
        size = limit + 4_000_000_000
        yield Container(f"prlimit --as={size}", ("prlimit", f"--as={size}"))
        return
    try:
        yield Container(f"control group {group}", (*JOIN, str(group)), group)
    finally:
        _remove(group)


def _made(limit: int) -> Path | None:
    """The folder of a new control group with this limit; None where none can be made."""
    for parent, name in _parents():
        group = parent / f"mirage-soak-{uuid.uuid4().hex[:8]}"
        try:
            group.mkdir()
        except OSError:
            continue
        try:
            (group / name).write_text(str(limit), encoding="ascii")
            return group
        except OSError:  # such as a group of version 2 whose parent hands on no controller of memory
            group.rmdir()
    return None


def _parents() -> Iterator[tuple[Path, str]]:
    """The groups of this process that may limit memory, and the name of the file of the limit."""
    try:
        lines = OWN_CGROUP.read_text(encoding="ascii").splitlines()
    except OSError:
        return
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if "memory" in controllers.split(","):
            yield CGROUPS / "memory" / path.lstrip("/"), "memory.limit_in_bytes"
        elif not controllers:
            yield CGROUPS / path.lstrip("/"), "memory.max"


def _remove(group: Path) -> None:
    """Remove the group, once its last process has gone: those of decoders end just after the service."""
    for _ in range(100):
        with contextlib.suppress(OSError):
            group.rmdir()
            return
        time.sleep(0.1)
    os.rmdir(group)

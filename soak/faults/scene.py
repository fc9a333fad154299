"""The services in which faults are planted: one that most faults share, and one of its own for each of the others."""

import contextlib
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from soak import tiny_model
from soak.faults import unruly
from soak.service import RunningService, running_service

CACHE_DISK = "size=4m"
"""Size of the file system of its own in which the cache of the shared service is, where one may be mounted."""
SETTINGS: dict[str, object] = {"architectures": unruly.SOURCE, "reload_s": 0.5, "drain_s": 0, "memory": "4GB"}


@dataclass
class Scene:
    """Folders and services of one run; `close` ends them.

    The services have the small model, which is their default, and the unruly one. `planted` is the folder in which
    files let the unruly one of the shared service misbehave.
    """

    folder: Path
    stack: ExitStack = field(default_factory=ExitStack)

    @property
    def planted(self) -> Path:
        """The folder of the shared service in which faults of the unruly network are planted."""
        return self.folder / "shared" / "planted"

    @property
    def cache(self) -> Path:
        """The cache folder of the shared service."""
        return self.folder / "cache"

    @cached_property
    def cache_is_mounted(self) -> bool:
        """Whether the cache has a small file system of its own, which needs the rights of root on Linux."""
        self.cache.mkdir(parents=True, exist_ok=True)
        if not mount("-t", "tmpfs", "-o", CACHE_DISK, "tmpfs", str(self.cache)):
            return False
        self.stack.callback(subprocess.run, ["umount", "--lazy", str(self.cache)], check=False)
        return True

    @cached_property
    def shared(self) -> RunningService:
        """The service for the faults after which it goes on."""
        _ = self.cache_is_mounted
        return self.stack.enter_context(self.fresh("shared", cache=self.cache))

    @contextlib.contextmanager
    def fresh(self, name: str, before: tuple[str, ...] = (), **settings: object) -> Iterator[RunningService]:
        """A service of its own, below the folder of this name; its faults are planted in `planted` there."""
        folder = self.folder / name
        with running_service(folder, (*at(folder), *before), write_models=write_models, **SETTINGS | settings) as one:
            yield one

    def close(self) -> None:
        """End the shared service."""
        self.stack.close()


def at(folder: Path) -> tuple[str, ...]:
    """What stands before the command of a service whose faults are planted below the folder."""
    (folder / "planted").mkdir(parents=True, exist_ok=True)
    return ("env", f"{unruly.FOLDER}={folder / 'planted'}")


def write_models(folder: Path) -> None:
    """Write the checkpoints of both models."""
    tiny_model.write_checkpoint(folder)
    unruly.write_checkpoint(folder)


def mount(*arguments: str) -> bool:
    """Whether `mount` could do it."""
    try:
        return subprocess.run(["mount", *arguments], capture_output=True, check=False).returncode == 0
    except OSError:  # there is no such program
        return False

"""The service as a process of its own, `python -m app`, with the models and the settings of a run."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from soak.tiny_model import write_checkpoint

REPOSITORY = Path(__file__).parents[1]
LONGEST_START_S = 300
"""Seconds within which the service must be ready."""


class NotStarted(RuntimeError):
    """The service has ended, or was not ready in time; the message has the end of its log."""


@dataclass(frozen=True)
class RunningService:
    """A process of the service; its models, cache and log are `models`, `cache` and `log.txt` in the folder."""

    url: str
    process: "subprocess.Popen[bytes]"
    folder: Path

    @property
    def port(self) -> int:
        """The port that it listens on."""
        return int(self.url.rpartition(":")[2])

    @property
    def log(self) -> str:
        """What the service has printed so far."""
        return (self.folder / "log.txt").read_text(encoding="utf-8", errors="replace")

    def wait_until_ready(self) -> None:
        """Raises NotStarted if the process ends before, or after LONGEST_START_S."""
        until = time.monotonic() + LONGEST_START_S
        while not _is_ready(self.url):
            if self.process.poll() is not None or time.monotonic() > until:
                raise NotStarted(f"the service did not become ready; its log ends with:\n{self.log[-2000:]}")
            time.sleep(0.05)

    def end(self) -> None:
        """Stop it with SIGTERM, and after a minute with SIGKILL; nothing happens if it has ended."""
        self.process.terminate()
        try:
            self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


@contextmanager
def running_service(
    folder: Path,
    before: tuple[str, ...] = (),
    /,
    *,
    write_models: Callable[[Path], None] = write_checkpoint,
    **settings: object,
) -> Iterator[RunningService]:
    """A service that is ready, and runs until the block ends.

    `write_models` writes its checkpoints into a folder. `before` and settings as those of `start`. Raises NotStarted.
    """
    (folder / "models").mkdir(parents=True)
    write_models(folder / "models")
    service = start(folder, before, **settings)
    try:
        service.wait_until_ready()
        yield service
    finally:
        service.end()


def start(folder: Path, before: tuple[str, ...] = (), /, **settings: object) -> RunningService:
    """Start a service with the checkpoints in `models` of the folder, and do not wait for it.

    `before` stands before the command, such as ("prlimit", "--as=2500000000"). Settings are those of app/settings.py:
    `api_keys="secret"` sets MIRAGE_API_KEYS; the settings of the surroundings do not count.
    """
    values = {
        "host": "127.0.0.1",
        "port": _free_port(),
        "device": "cpu",
        "checkpoints": folder / "models",
        "cache": folder / "cache",
        **settings,
    }
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("MIRAGE_")}
    own = {f"MIRAGE_{name.upper()}": str(value) for name, value in values.items()}
    with (folder / "log.txt").open("ab") as output:
        process = subprocess.Popen(
            [*before, sys.executable, "-m", "app"],
            cwd=folder,  # without the developer's file .env
            env=inherited | own | {"PYTHONPATH": str(REPOSITORY)},
            stdout=output,
            stderr=output,
        )
    return RunningService(f"http://127.0.0.1:{values['port']}", process, folder)


def _is_ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}/health/ready", timeout=30, trust_env=False).status_code == 200
    except httpx.TransportError:
        return False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])

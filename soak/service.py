"""The service as a process of its own, `python -m app`, with a small model and the settings of a run."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from soak.tiny_model import write_checkpoint

REPOSITORY = Path(__file__).parents[1]
LONGEST_START_S = 300
"""Seconds within which the service must be ready."""


class NotStarted(RuntimeError):
    """The service has ended, or was not ready in time; the message has the end of its log."""


@contextmanager
def running_service(folder: Path, **settings: object) -> Iterator[str]:
    """The URL of a service that runs until the block ends; its model, cache and log are in the folder.

    Settings are those of app/settings.py: `api_keys="secret"` sets MIRAGE_API_KEYS; the settings of the surroundings do
    not count. Raises NotStarted.
    """
    models = folder / "models"
    models.mkdir(parents=True)
    write_checkpoint(models)
    values = {
        "host": "127.0.0.1",
        "port": _free_port(),
        "device": "cpu",
        "checkpoints": models,
        "cache": folder / "cache",
        **settings,
    }
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("MIRAGE_")}
    own = {f"MIRAGE_{name.upper()}": str(value) for name, value in values.items()}
    url, log = f"http://127.0.0.1:{values['port']}", folder / "log.txt"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "app"],
            cwd=folder,  # without the developer's file .env
            env=inherited | own | {"PYTHONPATH": str(REPOSITORY)},
            stdout=output,
            stderr=output,
        )
    try:
        _wait_until_ready(process, url, log)
        yield url
    finally:
        process.terminate()
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_until_ready(process: "subprocess.Popen[bytes]", url: str, log: Path) -> None:
    until = time.monotonic() + LONGEST_START_S
    while not _is_ready(url):
        if process.poll() is not None or time.monotonic() > until:
            end = log.read_text(encoding="utf-8", errors="replace")[-2000:]
            raise NotStarted(f"the service did not become ready; its log ends with:\n{end}")
        time.sleep(0.2)


def _is_ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}/health/ready", timeout=30, trust_env=False).status_code == 200
    except httpx.TransportError:
        return False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])

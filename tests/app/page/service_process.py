"""The service as a process of its own, `python -m app`, which a test may kill and start again at the same address."""

import os
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Self

import httpx

REPOSITORY = Path(__file__).parents[3]
LONGEST_START_S = 120
"""Seconds within which the service must be ready; PyTorch alone may take ten of them on a busy machine."""


class ServiceProcess:
    """A service with the bundled models on the CPU, which listens at `url`.

    Settings are those of `app/settings.py`: `api_keys="secret"` sets MIRAGE_API_KEYS. Without `port` it takes a free
    one. Its working folder, cache and log are in `folder`. Modules are found in `modules` as well.
    """

    def __init__(self, folder: Path, *, modules: Path | None = None, **settings: object) -> None:
        values = {"port": free_port(), "host": "127.0.0.1", "device": "cpu", "cache": folder / "cache"} | settings
        self.url = f"http://127.0.0.1:{values['port']}"
        self.client = httpx.Client(base_url=self.url, timeout=120, trust_env=False)
        self._log = folder / "log.txt"
        self._folder = folder
        # As for a visitor, who waits for one answer at a time, the service may use all cores.
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(("MIRAGE_", "OMP_"))}
        own = {f"MIRAGE_{name.upper()}": str(value) for name, value in values.items()}
        places = [REPOSITORY] if modules is None else [REPOSITORY, modules]
        self._environment = inherited | own | {"PYTHONPATH": os.pathsep.join(map(str, places))}
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def log(self) -> str:
        """What the service has printed since it was first started."""
        return self._log.read_text(encoding="utf-8", errors="replace")

    def start(self) -> None:
        """Start the process and wait until its models are loaded."""
        assert self._process is None, "the service is already running"
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "app"], cwd=self._folder, env=self._environment, stdout=log, stderr=log
            )
        until = time.monotonic() + LONGEST_START_S
        while not self._ready():
            assert self._process.poll() is None, f"the service has ended: {self.log}"
            assert time.monotonic() < until, f"the service was not ready in time: {self.log}"
            time.sleep(0.05)

    def kill(self) -> None:
        """End the process at once, like `kill -9`; `start` starts it again at the same address."""
        assert self._process is not None, "the service is not running"
        self._process.kill()
        self._process.wait()
        self._process = None

    def close(self) -> None:
        """End the process, if it is running."""
        self.client.close()
        if self._process is not None:
            self.kill()

    def _ready(self) -> bool:
        try:
            return self.client.get("/health/ready").status_code == 200
        except httpx.TransportError:
            return False


def free_port() -> int:
    """Return a port of this machine that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])

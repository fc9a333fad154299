"""Starts `python -m app` as a process of its own, whose output and end a test reads."""

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]


@contextlib.contextmanager
def started(**settings: str) -> Iterator["subprocess.Popen[bytes]"]:
    """Start the service with these environment variables, on any free port; kill it if it still runs at the end."""
    with subprocess.Popen(
        [sys.executable, "-m", "app"],
        env={**os.environ, "MIRAGE_PORT": "0", **settings},
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        try:
            yield process
        finally:
            process.kill()

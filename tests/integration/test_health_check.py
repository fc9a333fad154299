"""The health check of the container image, run against servers that answer well and badly."""

import http.server
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from app.main import create_app
from app.settings import Settings
from tests.integration.project import last


def health_command() -> list[str]:
    """What the HEALTHCHECK runs, with this Python."""
    options, _, command = last("HEALTHCHECK").partition(" CMD ")
    assert "--start-period=" in options
    words: list[str] = json.loads(command)
    assert words[0] == "python"
    return [sys.executable, *words[1:]]


@contextmanager
def answering(status: int) -> Iterator[tuple[int, list[str]]]:
    """A server on a free port that answers everything so; its port, and the paths that it was asked for."""
    asked: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(status)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_address[1], asked
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(("status", "healthy"), [(200, True), (503, False), (404, False), (500, False)])
def test_the_health_check_tells_by_the_status(status: int, healthy: bool) -> None:
    """Run against a server that answers so: exit 0 for 200 alone, whatever proxy the container is told to use."""
    with answering(status) as (port, asked):
        variables = {**os.environ, "MIRAGE_PORT": str(port), "http_proxy": "http://127.0.0.1:9"}
        done = subprocess.run(health_command(), env=variables, capture_output=True)
    assert (done.returncode == 0) == healthy
    assert asked == ["/health/ready"]


def test_the_health_check_fails_where_nobody_listens() -> None:
    with answering(200) as (port, _):
        pass
    done = subprocess.run(health_command(), env={**os.environ, "MIRAGE_PORT": str(port)}, capture_output=True)
    assert done.returncode != 0


def test_what_the_health_check_asks_for_is_there() -> None:
    app = create_app(Settings(_env_file=None, models=("imagenet/mobilenet_v2",)))
    assert {"/health/ready", "/health/live"} <= set(app.openapi()["paths"])

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
    """The command of the HEALTHCHECK, run by this Python."""
    options, _, command = last("HEALTHCHECK").partition(" CMD ")
    assert "--start-period=" in options
    words: list[str] = json.loads(command)
    assert words[0] == "python"
    return [sys.executable, *words[1:]]


@contextmanager
def server_with_status(status: int) -> Iterator[tuple[int, list[str]]]:
    """A server on a free port that answers every request with the status; its port, and the requested paths."""
    paths: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            paths.append(self.path)
            self.send_response(status)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_address[1], paths
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(("status", "healthy"), [(200, True), (503, False), (404, False), (500, False)])
def test_the_health_check_succeeds_only_with_status_200(status: int, healthy: bool) -> None:
    """The exit code is 0 only for 200, also when the environment of the container names a proxy."""
    with server_with_status(status) as (port, paths):
        variables = {**os.environ, "MIRAGE_PORT": str(port), "http_proxy": "http://127.0.0.1:9"}
        done = subprocess.run(health_command(), env=variables, capture_output=True)
    assert (done.returncode == 0) == healthy
    assert paths == ["/health/ready"]


def test_the_health_check_fails_if_no_server_listens() -> None:
    with server_with_status(200) as (port, _):
        pass
    done = subprocess.run(health_command(), env={**os.environ, "MIRAGE_PORT": str(port)}, capture_output=True)
    assert done.returncode != 0


def test_the_service_has_the_route_of_the_health_check() -> None:
    app = create_app(Settings(_env_file=None, models=("imagenet/mobilenet_v2",)))
    assert {"/health/ready", "/health/live"} <= set(app.openapi()["paths"])

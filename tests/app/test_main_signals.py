"""Tests how `python -m app` ends on signals, as a process of its own."""

import re
import signal
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from subprocess import Popen

import httpx
import pytest

from models import checkpoint
from models.pictures import encode
from tests.app.live_service import TINY, drawn, eventually, lively_network
from tests.app.page.service_process import free_port
from tests.app.started import started

Process = Popen[bytes]


@pytest.fixture
def settings(checkpoints: Path, tmp_path: Path) -> dict[str, str]:
    """Settings of a service with a small model."""
    return {
        "MIRAGE_CHECKPOINTS": str(checkpoints),
        "MIRAGE_CACHE": str(tmp_path / "cache"),
        "MIRAGE_DEVICE": "cpu",
        "MIRAGE_PORT": str(free_port()),
        "MIRAGE_LOG_LEVEL": "warning",  # a line for each request would fill the pipe, which nobody reads until the end
    }


def connect(settings: dict[str, str]) -> socket.socket:
    """A connection to the service."""
    return socket.create_connection(("127.0.0.1", int(settings["MIRAGE_PORT"])))


def wait_until_ready(process: Process) -> None:
    """Read what the process prints when its models are loaded."""
    assert process.stdout is not None
    assert b"Mirage serves " in process.stdout.readline()


def wait_until_loading(process: Process) -> None:
    """Read what the process logs when it begins to load its models."""
    assert process.stderr is not None
    while b"startup complete" not in process.stderr.readline():
        assert process.poll() is None


def assert_clean_end(process: Process) -> None:
    """The process ends by itself, with exit code 0 and without a traceback."""
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors
    assert b"Traceback" not in errors and b"Fatal" not in errors, errors


@pytest.mark.slow
@pytest.mark.parametrize(("number", "loads"), [(signal.SIGINT, True), (signal.SIGTERM, True), (signal.SIGTERM, False)])
def test_the_process_ends_cleanly_on_a_signal(tmp_path: Path, number: signal.Signals, loads: bool) -> None:
    """While models are being loaded and afterwards: the exit code is 0 and the socket file is removed."""
    names = tmp_path / "checkpoints"
    names.mkdir()
    spec = replace(TINY, classes=("кошка", *TINY.classes[1:]))
    checkpoint.save(names / "猫.safetensors", lively_network(), spec, {})
    path = tmp_path / "s"
    settings = {
        "MIRAGE_CHECKPOINTS": str(names), "MIRAGE_HOST": f"unix:{path}", "PYTHONIOENCODING": "ascii:strict",
        "MIRAGE_DEVICE": "cpu", "MIRAGE_CACHE": str(tmp_path / "cache"), "MIRAGE_DRAIN_S": "0",
    }  # fmt: skip
    with started(**settings) as process:
        if loads:
            wait_until_loading(process)
        else:
            assert process.stdout is not None
            assert b"Mirage serves \\u732b on cpu at unix:" in process.stdout.readline()
        process.send_signal(number)
        assert_clean_end(process)
    assert not path.exists()


@pytest.mark.slow
def test_under_load_no_admitted_request_is_lost(settings: dict[str, str]) -> None:
    """Beside clients that stall, and within the limit of 12 seconds.

    The clients send their requests until the readiness probe says otherwise, as a load balancer does. Every response is
    complete and a success.
    """
    url, picture = f"http://127.0.0.1:{settings['MIRAGE_PORT']}", encode(drawn())

    is_draining = threading.Event()

    def send_requests() -> list[int]:
        statuses = []
        while not is_draining.is_set():
            statuses.append(httpx.post(f"{url}/classify", files={"image": picture}, timeout=60).status_code)
        return statuses

    with started(**settings, MIRAGE_DRAIN_S="2", MIRAGE_STOP_S="12") as process, ThreadPoolExecutor(3) as pool:
        wait_until_ready(process)
        with connect(settings) as stalled, connect(settings) as unread:
            stalled.sendall(b"POST /classify HTTP/1.1\r\nHost: test\r\nContent-Length: 1000\r\n\r\nhalf")
            unread.sendall(b"GET /openapi.json HTTP/1.1\r\nHost: test\r\n\r\n" * 100)
            sending = [pool.submit(send_requests) for _ in range(3)]
            eventually(lambda: re.search(r"mirage_engine_done_total \d\d+\.", httpx.get(f"{url}/metrics").text))
            process.send_signal(signal.SIGTERM)
            eventually(lambda: httpx.get(f"{url}/health/ready").status_code == 503)
            is_draining.set()
            statuses = [status for one in sending for status in one.result()]
            assert_clean_end(process)
    assert len(statuses) >= 10 and set(statuses) == {200}


@pytest.mark.slow
def test_a_second_signal_ends_the_process_beside_a_long_request(settings: dict[str, str]) -> None:
    """The request is answered with 503, and the exit code is 0."""
    url = f"http://127.0.0.1:{settings['MIRAGE_PORT']}"
    with (
        started(**settings, MIRAGE_DRAIN_S="100", MIRAGE_STOP_S="1000") as process,
        ThreadPoolExecutor(1) as pool,
    ):
        wait_until_ready(process)
        long = pool.submit(httpx.get, f"{url}/ideal/cat?steps=1000&crops=32&patience=0", timeout=120)
        eventually(lambda: "mirage_engine_alive 1" in httpx.get(f"{url}/metrics").text)
        process.send_signal(signal.SIGTERM)
        eventually(lambda: httpx.get(f"{url}/health/ready").json() == {"status": "draining"})
        process.send_signal(signal.SIGTERM)
        assert long.result().json()["type"] == "urn:mirage:problem:shutting-down"
        assert_clean_end(process)

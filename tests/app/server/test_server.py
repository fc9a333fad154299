"""Tests how the server stops. The signals are handed to it as Python would; it runs on a thread of the test."""

import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from models.pictures import encode
from tests.app.live_service import Live, drawn, eventually, serve

LONG = "/ideal/cat?steps=1000&crops=32&patience=0&seed="
"""A request that takes minutes."""
UPLOAD = b"POST /classify HTTP/1.1\r\nHost: test\r\nContent-Type: image/png\r\nContent-Length: 1000\r\n\r\nhalf"


def test_a_process_that_cannot_end_by_itself_is_ended() -> None:
    """Although its only thread waits inside C; the output says where."""
    code = "import threading; from app.server.server import end_after; end_after(0.1); "
    hangs = [sys.executable, "-c", code + "lock = threading.Lock(); lock.acquire(); lock.acquire()"]
    done = subprocess.run(hangs, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 1 and 'File "<string>", line 1' in done.stderr


@pytest.fixture(autouse=True)
def watchdogs(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds after which the process would be ended, which would be that of the tests."""
    seconds: list[float] = []
    monkeypatch.setattr("app.server.server.end_after", seconds.append)
    return seconds


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(8) as threads:
        yield threads


def stop(live: Live, number: signal.Signals = signal.SIGTERM) -> None:
    """What Python calls on a signal; the service has noticed before whether its models are loaded."""
    eventually(lambda: live.server._was_ready == (live.service.readiness() in ("ready", "draining")))
    live.server.handle_exit(number, None)


def has_stopped(live: Live) -> bool:
    """Whether nothing is left of the service: no connection, no request, no engine."""
    state = live.server.server_state
    return not (state.connections or state.tasks or live.service.engine.admission.is_open)


def connect(live: Live) -> socket.socket:
    """A connection whose waits end after a minute, with an error."""
    url = httpx.URL(live.url)
    return socket.create_connection((url.host, url.port), timeout=60)


def read_all(client: socket.socket) -> bytes:
    """Everything that the server sends until it closes the connection."""
    return b"".join(iter(lambda: client.recv(65536), b""))


def attack(live: Live, deadline_s: int) -> httpx.Response:
    """Attack a picture for so many seconds, and get the best that was found by then."""
    options = {"attack": "pgd", "steps": "1000", "restarts": "20", "deadline_s": str(deadline_s), "format": "json"}
    return httpx.post(f"{live.url}/adversarial", files={"image": encode(drawn())}, data=options, timeout=120)


def begin(live: Live, pool: ThreadPoolExecutor, *paths: str) -> list[Any]:
    """Send long requests, and wait until the engine works on all of them."""
    requests = [pool.submit(httpx.get, live.url + path, timeout=120) for path in paths]
    eventually(lambda: live.service.engine.alive == len(paths))
    return requests


def test_first_the_readiness_probe_says_so_then_the_port_is_closed(
    checkpoints: Path, pool: ThreadPoolExecutor, watchdogs: list[float]
) -> None:
    """Until then new connections are served; whatever was admitted is answered, and the process would end in time."""
    with serve(checkpoints=checkpoints, drain_s=2, stop_s=60) as live:
        running = pool.submit(attack, live, 4)
        eventually(lambda: live.service.engine.alive == 1)
        stop(live)
        ready = httpx.get(f"{live.url}/health/ready")
        assert (ready.status_code, ready.json()) == (503, {"status": "draining"})
        assert httpx.get(f"{live.url}/health/live").status_code == 200
        picture = {"image": encode(drawn())}
        assert httpx.post(f"{live.url}/classify", files=picture).status_code == 200, "over a new connection"
        assert watchdogs == [60]
        eventually(lambda: not live.server.servers[0].is_serving())
        with pytest.raises(httpx.ConnectError):
            httpx.get(f"{live.url}/health/live")
        assert running.result().status_code == 200
        assert running.result().headers["connection"] == "close"
        eventually(lambda: has_stopped(live))


def test_connections_without_a_complete_request_do_not_hold_up_the_stop(checkpoints: Path) -> None:
    """An idle one is closed; an upload and headers that stall are refused with 503, half an hour before the limit."""
    with serve(checkpoints=checkpoints, drain_s=0, stop_s=1800) as live:
        with connect(live) as idle, connect(live) as upload, connect(live) as headers:
            upload.sendall(UPLOAD)
            headers.sendall(b"GET / HTTP/1.1\r\nHost: te")
            eventually(lambda: len(live.server.server_state.tasks) == 1)
            stop(live)
            assert read_all(idle) == b""
            for client in (upload, headers):
                head, _, body = read_all(client).partition(b"\r\n\r\n")
                assert head.startswith(b"HTTP/1.1 503 ") and b"send the request again" in body
        eventually(lambda: has_stopped(live))


def test_long_requests_end_with_their_best_so_far_or_with_503(checkpoints: Path, pool: ThreadPoolExecutor) -> None:
    """The option deadline_s allows the best so far. Both get their answers before the limit."""
    with serve(checkpoints=checkpoints, drain_s=0, stop_s=9) as live:
        attacking = pool.submit(attack, live, 100)
        eventually(lambda: live.service.engine.alive == 1)
        drawing = pool.submit(httpx.get, f"{live.url}{LONG}1", timeout=120)
        stream = pool.submit(httpx.get, f"{live.url}{LONG}2", headers={"Accept": "text/event-stream"}, timeout=120)
        eventually(lambda: live.service.engine.alive == 3)
        stop(live)
        assert attacking.result().status_code == 200, attacking.result().text
        refused = drawing.result()
        assert (refused.status_code, refused.json()["type"]) == (503, "urn:mirage:problem:shutting-down")
        assert "urn:mirage:problem:shutting-down" in stream.result().text
        eventually(lambda: has_stopped(live))


def test_a_client_that_does_not_read_does_not_hold_up_the_stop(checkpoints: Path) -> None:
    """Its responses fill all buffers; the limit ends them."""
    with serve(checkpoints=checkpoints, drain_s=0, stop_s=4) as live, connect(live) as client:
        client.sendall(b"GET /openapi.json HTTP/1.1\r\nHost: test\r\n\r\n" * 100)
        eventually(lambda: any(one.transport.get_write_buffer_size() for one in live.server._connections()))
        stop(live)
        eventually(lambda: has_stopped(live))


def test_a_client_that_does_not_read_is_not_waited_for_until_the_limit(
    checkpoints: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The service gives it up some seconds after it stopped; here that is a tenth, and the limit is half an hour."""
    monkeypatch.setattr("app.server.connection.STALLED_WHEN_STOPPING_S", 0.1)
    with serve(checkpoints=checkpoints, drain_s=0, stop_s=1800) as live, connect(live) as client:
        client.sendall(b"GET /openapi.json HTTP/1.1\r\nHost: test\r\n\r\n" * 100)
        eventually(lambda: any(one.transport.get_write_buffer_size() for one in live.server._connections()))
        stop(live)
        eventually(lambda: has_stopped(live))


def test_what_the_connection_refuses_is_counted(checkpoints: Path) -> None:
    """Headers that are too long have no route yet; a request whose body is malformed has one, and is counted once."""
    broken = b"POST /classify HTTP/1.1\r\nHost: test\r\nContent-Type: image/png\r\nTransfer-Encoding: chunked\r\n\r\n"
    with serve(checkpoints=checkpoints) as live:
        for sent, status in ((b"GET / HTTP/1.1\r\na: " + b"b" * 70_000, b"431"), (broken + b"zz\r\n", b"400")):
            with connect(live) as client:
                client.sendall(sent)
                assert client.recv(12) == b"HTTP/1.1 " + status
        counted = {
            ("(none)", "", "431"): 1.0,
            ("/classify", "", "400"): 1.0,
        }
        registry = live.server._app.state.metrics

        def requests() -> dict[tuple[str, str, str], float]:
            samples = [sample for metric in registry.collect() for sample in metric.samples]
            return {
                (sample.labels["route"], sample.labels["model"], sample.labels["status"]): sample.value
                for sample in samples
                if sample.name == "mirage_http_requests_total"
            }

        eventually(lambda: requests() == counted)
        labels = {"route": "(none)", "problem": "request-header-fields-too-large"}
        assert registry.get_sample_value("mirage_http_problems_total", labels) == 1


def test_a_second_signal_ends_running_requests_at_once(
    checkpoints: Path, pool: ThreadPoolExecutor, watchdogs: list[float]
) -> None:
    """They get 503, also while the service still drains."""
    with serve(checkpoints=checkpoints, drain_s=100, stop_s=1000) as live:
        requests = begin(live, pool, f"{LONG}1", f"{LONG}2")
        stop(live)
        stop(live)
        for request in requests:
            refused = request.result()
            assert (refused.status_code, refused.json()["type"]) == (503, "urn:mirage:problem:shutting-down")
        assert watchdogs[0] == 1000 and watchdogs[1] < 5


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_nobody_is_waited_for_where_no_load_balancer_sends_requests(checkpoints: Path, number: signal.Signals) -> None:
    """At a terminal, or while models are being loaded, the listener is closed at once."""
    with serve(checkpoints=checkpoints, drain_s=100, stop_s=1000) as live:
        if number is signal.SIGTERM:
            live.service.registry._loaded.clear()
        stop(live, number)
        eventually(lambda: has_stopped(live))

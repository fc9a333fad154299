"""Tests the limits of the service: simultaneous tasks, time and sizes."""

import importlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from models.pictures import encode
from tests.app.live_service import drawn, eventually, serve


def test_overload_is_refused_at_once(checkpoints: Path) -> None:
    """With both places taken, a third request gets 503 with Retry-After; after the clients have left it is admitted."""
    with serve(checkpoints=checkpoints, max_waiting=2) as live, ThreadPoolExecutor(2) as pool:
        path = "/ideal/cat?steps=1000&crops=32&patience=0&seed="

        def hold(seed: int) -> None:
            with pytest.raises(httpx.TimeoutException):
                httpx.get(f"{live.url}{path}{seed}", timeout=2)

        long_requests = [pool.submit(hold, seed) for seed in range(2)]
        eventually(lambda: live.service.engine.alive == 2)
        response = live.client.post("/classify", files={"image": encode(drawn())})
        assert response.status_code == 503 and int(response.headers["Retry-After"]) >= 1
        assert response.json()["type"] == "urn:mirage:problem:overloaded"
        stream = live.client.get(f"{path}2", headers={"Accept": "text/event-stream"})
        assert stream.status_code == 503, "refused before a stream begins"
        with live.client.stream("GET", f"{path}1", headers={"Accept": "text/event-stream"}) as joined:
            assert joined.status_code == 200, "joining a running computation needs no place"
        for long_request in long_requests:
            long_request.result()
        eventually(lambda: live.service.engine.alive == 0)
        assert live.client.post("/classify", files={"image": encode(drawn())}).status_code == 200


@pytest.mark.parametrize(
    ("operation", "path"),
    [("adversarial", "/adversarial?attack=pgd&steps=1"), ("curve", "/adversarial/curve?norms=linf&steps=1")],
)
def test_tasks_ask_as_many_rows_at_once_as_pay_off(
    checkpoints: Path, monkeypatch: pytest.MonkeyPatch, operation: str, path: str
) -> None:
    """A batch of any size takes as long as a row, so a query may have as many rows as MIRAGE_MAX_ROWS allows."""
    module = importlib.import_module(f"app.adversarial.{operation}")
    make_task, rows = getattr(module, operation), list[int]()

    def record(*args: Any, **options: Any) -> object:
        rows.append(options["rows"])
        return make_task(*args, **options)

    monkeypatch.setattr(module, operation, record)
    with serve(checkpoints=checkpoints, max_rows=2) as live:
        times = live.service.registry.get().classifier.pass_times
        for kind in (times.forward, times.gradients):
            kind.measure(lambda rows: 0.001, 32)
        assert live.client.post(path, files={"image": encode(drawn())}).status_code == 200
    assert rows == [2]


def test_the_deadline_of_the_service_gives_504(checkpoints: Path) -> None:
    """Whichever sees it first, the engine or the request, says what helps."""
    with serve(checkpoints=checkpoints, deadline_s=0.3) as live:
        answer = live.client.get("/ideal/cat?steps=1000&crops=32")
        assert answer.status_code == 504
        assert answer.json()["detail"].endswith(": ask for fewer steps, or allow more time")


def test_pixel_and_byte_limits_are_settings(checkpoints: Path) -> None:
    with serve(checkpoints=checkpoints, max_pixels=10_000, max_bytes=30_000) as live:
        post = live.client.post
        assert post("/classify", files={"image": encode(drawn(99, 100))}).status_code == 200
        assert "10,000" in post("/classify", files={"image": encode(drawn(101, 100))}).json()["detail"]
        assert "30,000" in post("/adversarial", files={"image": bytes(31_000)}).json()["detail"]

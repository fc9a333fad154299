"""Tests the access log: one line a request, with what an operator wants to know and nothing that a client forged."""

import json
import logging
import re
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.telemetry.logs import JsonFormatter, TextFormatter
from models.pictures import encode
from tests.app.live_service import Live, drawn, eventually, serve


class Kept(logging.Handler):
    """Keeps the formatted lines of the access log."""

    def __init__(self, formatter: logging.Formatter) -> None:
        super().__init__()
        self.setFormatter(formatter)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))


@pytest.fixture
def kept(request: pytest.FixtureRequest) -> Iterator[Kept]:
    """The lines as JSON, or in the format of the parameter."""
    logger = logging.getLogger("app.access")
    handler, level = Kept(getattr(request, "param", JsonFormatter())), logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    yield handler
    logger.removeHandler(handler)
    logger.setLevel(level)


def line_of(kept: Kept, request_id: str) -> dict[str, Any]:
    """The only line of this request, in JSON. It is written just after the client has its response."""

    def lines() -> list[dict[str, Any]]:
        return [fields for line in kept.lines if (fields := json.loads(line))["request_id"] == request_id]

    eventually(lines)
    (fields,) = lines()
    return fields


def named(request_id: str) -> dict[str, str]:
    return {"X-Request-ID": request_id}


def test_a_classification_is_logged_with_its_times(live: Live, kept: Kept) -> None:
    """Its phases do not overlap, so that together they take no longer than the request."""
    file = encode(drawn())
    response = live.client.post("/classify", files={"image": file}, headers=named("mine"))
    fields = line_of(kept, "mine")
    expected = {
        "logger": "app.access",
        "level": "info",
        "request_id": "mine",
        "method": "POST",
        "route": "/classify",
        "status": 200,
        "model": "tiny",
        "client": "127.0.0.1",
        "received_bytes": int(response.request.headers["Content-Length"]),
        "sent_bytes": len(response.content),
    }
    assert expected.items() <= fields.items()
    phases = [fields[f"{phase}_ms"] for phase in ("received", "queued", "decoded", "computed")]
    assert all(value >= 0 for value in phases) and sum(phases) <= fields["total_ms"] + 0.1
    assert fields["decoded_ms"] > 0 and fields["computed_ms"] > 0
    assert not {"problem", "key", "cached", "trace_id"} & set(fields)


def test_browsers_are_told_the_times(live: Live) -> None:
    """In milliseconds, by the names of the header Server-Timing; a request without any work has no such header."""
    header = live.client.post("/classify", files={"image": encode(drawn())}).headers["Server-Timing"]
    times = dict(re.fullmatch(r"(\w+);dur=([\d.]+)", part).groups() for part in header.split(", "))  # type: ignore[union-attr]
    assert list(times) == ["receive", "queue", "decode", "compute", "total"]
    assert sum(float(times[name]) for name in ("decode", "compute")) <= float(times["total"])
    assert "Server-Timing" not in live.client.get("/models").headers


def test_an_encoded_picture_has_a_time_for_that(live: Live, kept: Kept) -> None:
    live.client.post("/adversarial", files={"image": encode(drawn())}, data={"attack": "fgsm"}, headers=named("fgsm"))
    fields = line_of(kept, "fgsm")
    assert fields["route"] == "/adversarial" and fields["encoded_ms"] > 0


def test_an_ideal_picture_comes_from_the_cache_the_second_time(live: Live, kept: Kept) -> None:
    for name in ("first", "second"):
        live.client.get("/ideal/cat", params={"steps": 1, "seed": 57}, headers=named(name))
    first, second = line_of(kept, "first"), line_of(kept, "second")
    assert (first["cached"], second["cached"]) == (False, True)
    assert first["route"] == second["route"] == "/ideal/{class}"
    assert "computed_ms" in first and "computed_ms" not in second


def test_a_problem_is_named(live: Live, kept: Kept) -> None:
    live.client.post("/classify", files={"image": b"no picture"}, headers=named("none"))
    fields = line_of(kept, "none")
    assert (fields["status"], fields["problem"]) == (415, "not-a-picture")


def test_a_failure_is_logged_once_with_its_id(live: Live, kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    """The server logs the traceback after the line, with the same id."""
    errors = Kept(TextFormatter())
    logging.getLogger("uvicorn.error").addHandler(errors)
    monkeypatch.setattr("app.operations.classify.begin", lambda *args, **kwargs: 1 / 0)
    httpx.post(f"{live.url}/classify", files={"image": encode(drawn())}, headers=named("failure"))
    fields = line_of(kept, "failure")
    assert (fields["status"], fields["problem"]) == (500, "internal-server-error")
    eventually(lambda: errors.lines)
    logging.getLogger("uvicorn.error").removeHandler(errors)
    assert "[failure]: " in errors.lines[0] and errors.lines[0].endswith("division by zero")


def test_probes_scrapes_and_files_are_logged_for_debugging_only(live: Live, kept: Kept) -> None:
    paths = ("/health/live", "/health/ready", "/metrics", "/page/icon.svg", "/docs/files/swagger-ui.css")
    for path in paths:
        assert live.client.get(path, headers=named("quiet")).status_code == 200
    live.client.get("/models", headers=named("loud"))
    assert line_of(kept, "loud")["route"] == "/models"
    assert not any("quiet" in line for line in kept.lines)


def test_a_client_that_leaves_has_status_499(live: Live, kept: Kept) -> None:
    """It says that it will send 1,000 bytes, sends none, and closes the connection."""
    address = httpx.URL(live.url)
    with socket.create_connection((str(address.host), int(address.port or 0))) as connection:
        connection.sendall(b"POST /classify HTTP/1.1\r\nHost: x\r\nX-Request-ID: left\r\nContent-Length: 1000\r\n\r\n")
    assert line_of(kept, "left")["status"] == 499


def test_a_client_that_leaves_an_event_stream_has_status_499(live: Live, kept: Kept) -> None:
    data = {"attack": "pgd", "steps": "100", "restarts": "10", "format": "events"}
    files, url = {"image": encode(drawn(400, 400))}, f"{live.url}/adversarial"
    with httpx.stream("POST", url, files=files, data=data, headers=named("stream")) as response:
        next(response.iter_bytes())
    fields = line_of(kept, "stream")
    assert (fields["route"], fields["status"]) == ("/adversarial", 499)


def test_the_name_of_the_key_is_logged_and_never_the_key(checkpoints: Path, kept: Kept) -> None:
    with serve(checkpoints=checkpoints, api_keys=("correct-horse",)) as running:
        running.client.get("/models", headers={"X-API-Key": "correct-horse"} | named("known"))
        running.client.get("/models", headers={"X-API-Key": "wrong-donkey"} | named("unknown"))
        known, unknown = line_of(kept, "known"), line_of(kept, "unknown")
    assert known["status"] == 200 and known["key"]
    assert unknown["status"] == 401 and "key" not in unknown
    assert not re.search("horse|donkey", "".join(kept.lines))


@pytest.mark.parametrize("kept", [TextFormatter(), JsonFormatter()], indirect=True)
def test_no_client_can_write_or_blow_up_a_line(live: Live, kept: Kept) -> None:
    """Path, query, class, model, key, request id, and headers that a proxy sets, each hostile and long."""
    evil = "%0A2026-01-01T00:00:00Z%20CRITICAL%20forged%1B" + "x" * 30_000
    text = "forged\t" + "x" * 20_000
    for path in (f"/{evil}", f"/ideal/{evil}", f"/models/{evil}", f"/ideal/cat?model={evil}", f"/classify?{evil}"):
        live.client.get(path)
    for header in ("X-API-Key", "X-Request-ID", "User-Agent", "X-Forwarded-For", "Host", "traceparent"):
        live.client.get("/models", headers={header: text})
    live.client.post("/classify", files={"image": encode(drawn())}, data={"model": f"forged\n{text}"})
    eventually(lambda: len(kept.lines) >= 12)
    for line in kept.lines:
        assert len(line) < 600 and line.isprintable() and "xxxx" not in line
        assert "forged" not in line

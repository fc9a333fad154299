"""Tests clients of GET /ideal that share a computation, or disconnect before it ends."""

import threading

import httpx
import pytest

from tests.app.events import events
from tests.app.live_service import Live, eventually


def test_simultaneous_equal_requests_share_one_computation(fresh: Live) -> None:
    """Eight requests in three formats cost one computation (40 steps of 4 crops), and all get the same result."""
    formats = ["png", "json", "png", "events", "png", "json", "png", "events"]
    responses: dict[int, httpx.Response] = {}

    def ask(number: int) -> None:
        params = {"steps": 40, "crops": 4, "patience": 0, "format": formats[number]}
        responses[number] = fresh.client.get("/ideal/cat", params=params)

    threads = [threading.Thread(target=ask, args=[number]) for number in range(len(formats))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert fresh.service.engine.counters.gradient_rows == 160
    assert len({responses[number].content for number in (0, 2, 4, 6)}) == 1
    assert responses[1].content == responses[5].content
    results = [list(events(iter(responses[number].text.splitlines())))[-1] for number in (3, 7)]
    assert results == [("result", responses[1].json())] * 2


def test_a_shared_computation_ends_when_its_last_client_disconnects(fresh: Live) -> None:
    """It goes on after the first of two clients has left, and ends when the second leaves, long before 1000 steps."""
    engine, params = fresh.service.engine, {"steps": 1000, "crops": 32, "patience": 0, "format": "events"}
    with (
        httpx.Client(base_url=fresh.url, timeout=60) as first_client,
        httpx.Client(base_url=fresh.url, timeout=60) as second_client,
    ):
        with first_client.stream("GET", "/ideal/cat", params=params) as first:
            chunks = first.iter_bytes()  # the connection is closed when this is deleted
            next(chunks)
            with second_client.stream("GET", "/ideal/cat", params=params) as second:
                next(second.iter_bytes())
            rows = engine.counters.gradient_rows
            eventually(lambda: engine.counters.gradient_rows > rows + 64)
            assert engine.alive == 1 and engine.counters.left == 0
            del chunks
        eventually(lambda: engine.counters.left == 1 and engine.alive == 0)


@pytest.mark.parametrize("format", ["png", "events", "film"])
def test_a_client_that_disconnects_frees_the_engine(live: Live, format: str) -> None:
    """The client disconnects, and the task ends long before its 1000 steps."""
    left_before, engine = live.service.engine.counters.left, live.service.engine
    with (
        httpx.Client(base_url=live.url, timeout=0.5) as client,
        pytest.raises(httpx.TimeoutException),
        client.stream("GET", f"/ideal/cat?steps=1000&crops=32&patience=0&format={format}") as response,
    ):
        next(response.iter_bytes())
        raise httpx.ReadTimeout("enough")
    eventually(lambda: engine.counters.left == left_before + 1 and engine.alive == 0)

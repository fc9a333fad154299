"""Tests the admission of requests over HTTP: deadlines count from the arrival, and nothing stays behind."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from app.engine.admission import Overloaded
from app.memory.budget import MemoryIsTaken, NeedsTooMuchMemory
from app.web import ticket as module
from app.web.ticket import Ticket, arrival, place_of
from models.pictures import encode
from tests.app.live_service import Live, drawn, eventually, serve

WAITING = """
import time
from app.decoding import child
decode = child.read_levels
def read_levels(file, **options):
    time.sleep(600)
child.read_levels = read_levels
child.main()
"""
"""A decoder process that takes ten minutes."""
ROUTES: dict[str, dict[str, Any]] = {
    "/classify": {},
    "/classify/batch": {},
    "/adversarial": {"format": "json"},
    "/adversarial/curve": {"format": "json"},
    "/adversarial/targets": {},
    "/explain": {"format": "json"},
    "/features": {"layer": "features.0", "format": "json"},
}


@pytest.fixture
def request_ticket(live: Live) -> Iterator[Ticket]:
    """Return the ticket of a request that arrived ten seconds ago."""
    request: Any = SimpleNamespace(scope={}, state=SimpleNamespace(arrived=time.monotonic() - 10))
    place = place_of(request)
    live.service.engine.admission.admit(place)
    ticket = Ticket(request, live.service, place, place.begun + 60)
    yield ticket
    ticket.close()
    assert live.service.memory.reserved == 0
    eventually(lambda: live.service.engine.alive == 0)


def test_the_deadline_counts_from_the_arrival(request_ticket: Ticket) -> None:
    assert 49 < request_ticket.seconds_left <= 50
    request_ticket.shorten(None)
    request_ticket.shorten(100)
    assert 49 < request_ticket.seconds_left <= 50
    request_ticket.shorten(11)
    assert 0 < request_ticket.seconds_left <= 1
    request_ticket.shorten(5)
    assert request_ticket.seconds_left == 0.001


def test_a_request_without_a_stamp_has_just_arrived() -> None:
    request: Any = SimpleNamespace(state=SimpleNamespace())
    before = time.monotonic()
    assert before <= arrival(request) <= time.monotonic()


def test_memory_is_kept_until_the_end(request_ticket: Ticket) -> None:
    memory = request_ticket.service.memory
    held = request_ticket.reserve(5_000_000)
    held.shrink(3_000_000)
    request_ticket.keep(held)
    assert memory.reserved == 3_000_000
    request_ticket.close()
    assert memory.reserved == 0


def test_memory_that_comes_after_the_end_is_given_back(request_ticket: Ticket) -> None:
    """The client has left while its picture was being decoded."""
    held = request_ticket.reserve(5_000_000)
    request_ticket.close()
    request_ticket.keep(held)
    assert request_ticket.service.memory.reserved == 0


def test_a_request_that_holds_memory_does_not_wait_for_more(
    request_ticket: Ticket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PATIENCE_S", 60.0)
    memory = request_ticket.service.memory
    request_ticket.keep(request_ticket.reserve(1_000_000))
    with memory.reserve_now(memory.most - memory.reserved), pytest.raises(Overloaded):
        request_ticket.reserve(1_000_000)
    with pytest.raises(NeedsTooMuchMemory):
        request_ticket.reserve(memory.most)


def test_pictures_under_work_leave_memory_for_small_ones(
    request_ticket: Ticket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PATIENCE_S", 0.01)
    memory = request_ticket.service.memory
    with memory.reserve_now(memory.most - module.ALWAYS_LEFT):
        with pytest.raises(Overloaded):
            request_ticket.reserve(1_000)
        request_ticket.reserve(1_000, stays=False).release()


@pytest.fixture(scope="module")
def stuck(checkpoints: Path) -> Iterator[Live]:
    """Return a service whose decoders never end, and whose deadline is after a second."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("app.decoding.process.PROGRAM", ("-c", WAITING))
        with serve(checkpoints=checkpoints, deadline_s=1.0) as running:
            yield running


@pytest.mark.parametrize("route", ROUTES)
def test_a_picture_that_is_not_decoded_in_time_gets_504(stuck: Live, route: str) -> None:
    """Two requests have all processes and one waits, and all are answered."""

    def post(number: int) -> tuple[int, str]:
        answer = stuck.client.post(route, files={"image": encode(drawn(seed=number))}, data=ROUTES[route])
        return answer.status_code, str(answer.json()["type"])

    with ThreadPoolExecutor(3) as pool:
        answers = list(pool.map(post, range(3)))
    assert [status for status, _ in answers] == [504] * 3
    assert {kind for _, kind in answers} == {"urn:mirage:problem:deadline-exceeded"}
    eventually(lambda: stuck.service.engine.alive == 0)
    eventually(lambda: stuck.service.memory.reserved == 0)


def test_requests_count_while_their_pictures_are_decoded(checkpoints: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Four places, three of which are for classifications; the decoders are busy for ever."""
    monkeypatch.setattr("app.decoding.process.PROGRAM", ("-c", WAITING))
    with serve(checkpoints=checkpoints, max_waiting=4, deadline_s=5.0) as live, ThreadPoolExecutor(3) as pool:
        waiting = [pool.submit(live.client.post, "/classify", files={"image": encode(drawn())}) for _ in range(3)]
        eventually(lambda: live.service.engine.alive == 3)
        refused = live.client.post("/classify", files={"image": encode(drawn())})
        assert (refused.status_code, refused.json()["type"]) == (503, "urn:mirage:problem:overloaded")
        assert int(refused.headers["Retry-After"]) >= 1
        assert [future.result().status_code for future in waiting] == [504] * 3


def test_a_client_that_leaves_while_its_picture_is_decoded_frees_its_place(
    checkpoints: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.decoding.process.PROGRAM", ("-c", WAITING))
    with serve(checkpoints=checkpoints) as live:
        leave = threading.Event()

        def post() -> None:
            with pytest.raises(Exception, match="timed out"):
                live.client.post("/classify", files={"image": encode(drawn())}, timeout=0.5)
            leave.set()

        threading.Thread(target=post).start()
        eventually(lambda: live.service.engine.alive == 1)
        assert leave.wait(30)
        eventually(lambda: live.service.engine.alive == 0)
        for process in list(live.service.decoders._busy):
            process._process.kill()


def test_a_body_for_which_there_is_no_memory_is_refused_before_it_is_read(live: Live) -> None:
    memory = live.service.memory
    with memory.reserve_now(memory.most - 100_000):
        refused = live.client.post("/classify", content=bytes(1_000_000), headers={"Content-Type": "image/png"})
        assert (refused.status_code, refused.json()["type"]) == (503, "urn:mirage:problem:memory-is-taken")
        assert refused.headers["Retry-After"] == "1"
    with pytest.raises(MemoryIsTaken), memory.reserve_now(memory.most):
        memory.reserve_now(1)
    assert live.client.post("/classify", files={"image": encode(drawn())}).status_code == 200
    eventually(lambda: memory.reserved == 0)

"""Tests the admission of requests over HTTP: deadlines count from the arrival, and nothing stays behind."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from app.engine.admission import Overloaded
from app.memory.budget import MemoryIsTaken, NeedsTooMuchMemory
from app.memory.costs import BODY, DECODING, EXPLAINED, PICTURE
from app.web import ticket as module
from app.web.middleware.body_memory import PIECE
from app.web.ticket import Ticket, arrival, place_of
from models.pictures import encode
from tests.app.live_service import Live, drawn, eventually, serve
from tests.app.raw_requests import connection, head

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
    request: Any = SimpleNamespace(scope={}, client=None, state=SimpleNamespace(arrived=time.monotonic() - 10))
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


@pytest.mark.parametrize(
    ("key", "address", "owner", "has_key"),
    [
        ("shop", "192.0.2.1", "shop", True),
        ("", "192.0.2.1", "192.0.2.1", False),
        ("", "2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64", False),
        ("", None, "", False),
    ],
)
def test_a_request_belongs_to_its_key_or_else_to_its_address(
    key: str, address: str | None, owner: str, has_key: bool
) -> None:
    """Over a unix socket a request has no address, unless the proxy has sent one."""
    client = None if address is None else SimpleNamespace(host=address)
    request: Any = SimpleNamespace(scope={}, client=client, state=SimpleNamespace(key_name=key))
    place = place_of(request, quick=True)
    assert (place.owner, place.has_key, place.quick) == (owner, has_key, True)


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


def test_freed_memory_goes_back_before_the_last_half_is_used(
    request_ticket: Ticket, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise a decoder process would take memory beside what the service has freed and keeps."""
    returned: list[int] = []
    memory = request_ticket.service.memory
    monkeypatch.setattr(module, "return_freed_memory", lambda: returned.append(memory.reserved))
    with request_ticket.reserve(memory.most // 2):
        assert returned == []
        with request_ticket.reserve(1_000):
            assert returned == [memory.most // 2 + 1_000]


def test_pictures_under_work_leave_memory_for_small_ones(
    request_ticket: Ticket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PATIENCE_S", 0.01)
    memory = request_ticket.service.memory
    with memory.reserve_now(memory.most - module.ALWAYS_LEFT):
        with pytest.raises(Overloaded):
            request_ticket.reserve(1_000)
        request_ticket.reserve(1_000, stays=False).release()


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


@pytest.mark.parametrize("route", ["/classify", "/explain"])
def test_a_body_and_its_picture_that_never_fit_together_get_413(live: Live, route: str) -> None:
    """A piece of a body takes 300 kB and decoding 12,288 pixels 393 kB; each of them alone would fit into 650 kB."""
    memory = live.service.memory
    base, need = memory.total - memory.most, BODY * PIECE + DECODING * 12_288
    spare = module.ALWAYS_LEFT + (PICTURE + EXPLAINED) * 12_288 if route == "/explain" else 0
    try:
        memory.set_base(memory.total - need - spare + 1)
        refused = live.client.post(route, files={"image": encode(drawn())})
        assert (refused.status_code, refused.json()["type"]) == (413, "urn:mirage:problem:needs-too-much-memory")
        memory.set_base(memory.total - need - spare)
        assert live.client.post(route, files={"image": encode(drawn())}).status_code == 200
    finally:
        memory.set_base(base)
    eventually(lambda: memory.reserved == 0)


@pytest.fixture(scope="module")
def stuck_service(checkpoints: Path) -> Iterator[Live]:
    with serve(checkpoints=checkpoints, deadline_s=1.0) as running:
        yield running


@pytest.fixture
def stuck(stuck_service: Live, monkeypatch: pytest.MonkeyPatch) -> Live:
    """Return a service whose decoders never end, and whose deadline is after a second; others start as usual later."""
    monkeypatch.setattr("app.decoding.process.PROGRAM", ("-c", WAITING))
    return stuck_service


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
    with serve(checkpoints=checkpoints, max_waiting=4, deadline_s=2.0) as live, ThreadPoolExecutor(3) as pool:
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
    body = encode(drawn())
    with serve(checkpoints=checkpoints) as live:
        with connection(live.url) as client:
            client.sendall(head("POST", "/classify", "Content-Type: image/png", f"Content-Length: {len(body)}") + body)
            eventually(lambda: live.service.decoders.busy == 1)
            assert live.service.engine.alive == 1
        eventually(lambda: live.service.engine.alive == 0)
        for process in list(live.service.decoders._busy):
            process._process.kill()

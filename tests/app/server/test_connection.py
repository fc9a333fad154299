"""Tests the bounds of a connection over real sockets, with limits of half a second and small numbers."""

import asyncio
import logging
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from starlette.types import Receive, Scope, Send

from app.server.connection import REFUSED_AT_ONCE
from app.server.limits import Limits
from tests.app.live_service import eventually
from tests.app.server.raw_client import Address, RawClient, echo, serving

LIMITS = Limits(keep_alive_s=0.5, header_s=0.5, stalled_reader_s=1.0, linger_s=1.0)
GET = b"GET /%d HTTP/1.1\r\nHost: test\r\n\r\n"
CHUNKED = b"POST / HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n"
FLOOD = 30_000_000
"""Bytes of a client that goes on sending: more than all buffers between it and the server hold."""


@pytest.fixture(scope="module")
def address() -> Iterator[Address]:
    with serving(echo, LIMITS) as address:
        yield address


def test_usual_requests_share_a_connection(address: Address) -> None:
    """A body may arrive in pieces, and after the client was asked to send it."""
    with RawClient(address) as client:
        client.send(b"POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 5\r\n\r\nab")
        client.send(b"cde")
        status, headers, body = client.response()
        assert (status, b'"size": 5' in body) == (200, True) and "connection" not in headers
        client.send(b"POST / HTTP/1.1\r\nHost: test\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n")
        assert client.read_some() == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.send(b"abc")
        assert b'"size": 3' in client.response()[2]


def test_many_pipelined_requests_are_answered_in_order(address: Address) -> None:
    """Far more than fit into one piece of the parser."""
    with RawClient(address) as client:
        client.send(b"".join(GET % number for number in range(2000)))
        for number in range(2000):
            assert b'"/%d"' % number in client.response()[2]


@pytest.mark.parametrize("sent", [b"", b"\r\n", GET % 1])
def test_an_idle_connection_is_closed(address: Address, sent: bytes) -> None:
    """Before the first request, after an empty line, and after a response."""
    with RawClient(address) as client:
        client.send(sent)
        if sent.startswith(b"GET"):
            assert client.response()[0] == 200
        assert client.is_closed()


@pytest.mark.parametrize("sent", [b"G", b"GET / HTTP/1.1\r\nHost: te", GET % 1 + b"GET /2"])
def test_headers_that_do_not_arrive_are_refused(address: Address, sent: bytes) -> None:
    with RawClient(address) as client:
        client.send(sent)
        if sent.startswith(GET % 1):
            assert client.response()[0] == 200
        status, details = client.problem()
        assert (status, details["type"]) == (408, "urn:mirage:problem:request-timeout")
        assert "not complete 0.5 s after its first byte" in details["detail"]


def test_a_refusal_has_one_line_in_the_access_log(address: Address, caplog: pytest.LogCaptureFixture) -> None:
    """With the id that its client was told, and nothing that the client sent."""
    caplog.set_level(logging.INFO)
    ids: list[str] = []
    with RawClient(address) as client:
        client.send(b"\x16\x03\x01\r\n\r\n")
        ids.append(client.problem()[1]["request_id"])
    (record,) = [record for record in caplog.records if record.name == "app.access"]
    fields = vars(record)["fields"]
    assert (fields["route"], fields["status"], fields["problem"]) == ("(none)", 400, "bad-request")
    assert fields["client"] == "127.0.0.1" and fields["sent_bytes"] > 0 and fields["total_ms"] >= 0
    assert ids[0] and fields.keys() == {"route", "status", "problem", "client", "sent_bytes", "total_ms"}


def test_dribbled_headers_are_refused_all_the_same(address: Address) -> None:
    """A byte every now and then does not begin the time anew."""
    with RawClient(address) as client:
        client.send_slowly(b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 100, every_s=0.02)
        assert client.problem()[0] == 408


@pytest.mark.parametrize(
    ("begin", "piece"),
    [
        (b"", b"\r\n" * 500),
        (b"GET /", b"a" * 1000),
        (b"GET / HTTP/1.1\r\na: ", b"a" * 1000),
        (b"GET / HTTP/1.1\r\n", b"a: b\r\n"),
        (CHUNKED + b"1\r\na\r\n", b"1;" + b"e" * 1000 + b"\r\na\r\n"),
        (CHUNKED + b"1;", b"e" * 1000),
        (CHUNKED + b"1\r\na\r\n0\r\n", b"a: " + b"b" * 1000 + b"\r\n"),
    ],
    ids=["empty lines", "path", "value", "fields", "extensions", "one extension", "trailers"],
)
def test_what_is_not_body_is_bounded(address: Address, begin: bytes, piece: bytes) -> None:
    """The client may go on sending; it still gets its answer, since what it sends is thrown away for a while."""
    with RawClient(address) as client:
        client.send(begin)
        client.send_until_closed(piece, 400_000)
        status, details = client.problem()
        assert (status, details["type"]) == (431, "urn:mirage:problem:request-header-fields-too-large")
        assert "65,536 bytes or 128 fields" in details["detail"]


def test_headers_within_the_bounds_are_accepted(address: Address) -> None:
    with RawClient(address) as client:
        client.send(b"GET / HTTP/1.1\r\nHost: test\r\n" + b"a: %s\r\n" % (b"b" * 480) * 127 + b"\r\n")
        assert client.response()[0] == 200


@pytest.mark.parametrize("length", [5, 4096, 300_000])
def test_a_body_ends_where_its_length_says(address: Address, length: int) -> None:
    """The next requests come with it; the headers of the last one are as bounded as ever."""
    with RawClient(address) as client:
        post = b"POST / HTTP/1.1\r\nHost: test\r\nContent-Length: %d\r\n\r\n" % length
        client.send(post + b"a" * length + GET % 7 + post + b"b" * length)
        sizes = [client.response()[2] for _ in range(3)]
        assert [b'"size": %d' % size in body for size, body in zip((length, 0, length), sizes, strict=True)] == [
            True
        ] * 3
        client.send_until_closed(b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 20_000, 400_000)
        assert client.problem()[0] == 431


def test_a_large_body_in_small_chunks_is_accepted(address: Address) -> None:
    """Its framing has more bytes than headers may have, but fewer than the body itself."""
    with RawClient(address) as client:
        client.send(CHUNKED + b"10\r\n0123456789abcdef\r\n" * 20_000 + b"0\r\n\r\n")
        assert b'"size": 320000' in client.response()[2]


def test_trailers_do_not_become_headers(address: Address) -> None:
    """They arrive after the request was checked (RFC 9110, 6.5.1)."""
    with RawClient(address) as client:
        client.send(CHUNKED + b"1\r\na\r\n0\r\nx-forwarded-for: 10.0.0.1\r\n\r\n")
        assert b"forwarded" not in client.response()[2]
        client.send(GET % 2)
        assert client.response()[0] == 200


@pytest.mark.parametrize(
    "sent", [b"\x16\x03\x01\r\n\r\n", b"CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n", CHUNKED + b"zz\r\n"]
)
def test_what_is_not_http_is_refused(address: Address, sent: bytes) -> None:
    with RawClient(address) as client:
        client.send(sent)
        status, details = client.problem()
        assert status == 400 and "not valid HTTP/1.1" in details["detail"]


def test_a_request_before_a_malformed_one_is_answered(address: Address) -> None:
    with RawClient(address) as client:
        client.send(GET % 1 + b"nonsense\r\n\r\n")
        status, headers, _ = client.response()
        assert (status, headers["connection"]) == (200, "close") and client.is_closed()


def test_an_upgrade_is_not_followed_but_the_request_is_answered(address: Address) -> None:
    """RFC 9110, 7.8. With a body, which the parser would not read, the request is refused."""
    upgrade = b"Host: test\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n"
    with RawClient(address) as client:
        client.send(b"GET /1 HTTP/1.1\r\n" + upgrade + b"\r\n" + GET % 2)
        assert b'"/1"' in client.response()[2] and b'"/2"' in client.response()[2]
        client.send(b"POST / HTTP/1.1\r\n" + upgrade + b"Content-Length: 3\r\n\r\nabc")
        assert "HTTP_1_1" in client.problem()[1]["detail"]


def test_a_response_before_the_end_of_the_body_reaches_its_client(address: Address) -> None:
    """The rest is thrown away for a second, and then the connection is closed although the client keeps it open."""
    with RawClient(address) as client:
        client.send(b"POST /early HTTP/1.1\r\nHost: test\r\nContent-Length: 1000000000\r\n\r\n")
        client.send_until_closed(bytes(65536), FLOOD)
        status, headers, _ = client.response()
        assert (status, headers["connection"]) == (200, "close")
        eventually(address.is_unused)


def test_a_client_that_stops_reading_is_disconnected() -> None:
    """The application learns it; while the client reads, it stays connected."""
    ended = threading.Event()

    async def stream(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "http.response.start", "status": 200, "headers": []})

        async def send_on() -> None:
            while True:
                await send({"type": "http.response.body", "body": bytes(100_000), "more_body": True})
                await asyncio.sleep(0.01)

        sending = asyncio.create_task(send_on())
        while (await receive())["type"] != "http.disconnect":
            pass
        sending.cancel()
        ended.set()

    with serving(stream, LIMITS) as address, RawClient(address) as client:
        client.send(GET % 1)
        for _ in range(200):  # twice as long as the limit
            assert client.read_some()
            assert not ended.wait(0.01)
        assert ended.wait(60), "the client reads no more"


def test_a_response_that_is_not_read_is_given_up() -> None:
    """It waits in the server's own buffer: the application has long ended."""

    async def large(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": bytes(FLOOD)})

    with serving(large, LIMITS) as address, RawClient(address) as client:
        client.send(GET % 1)
        assert client.read_some()
        eventually(address.is_unused)
        received = 0
        while data := client.read_some():
            received += len(data)
        assert received < FLOOD


def test_beyond_the_limit_the_longest_idle_connection_makes_room() -> None:
    """A connection with a request under way stays. When all have one, a new one is refused and told when to return."""
    release, held = threading.Event(), []

    async def hold(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == "/1":
            held.append(scope)
            while not release.is_set():
                await asyncio.sleep(0.01)
        await echo(scope, receive, send)

    limits = Limits(max_connections=2, linger_s=1.0)
    with serving(hold, limits) as address, ExitStack() as clients:
        idle, busy, late = (clients.enter_context(RawClient(address)) for _ in range(3))
        assert idle.is_closed(), "it waits for longest"
        for client in (busy, late):
            client.send(GET % 1)
        eventually(lambda: len(held) == 2)
        with RawClient(address) as refused:
            status, headers, _ = refused.response()
            assert (status, headers["retry-after"], headers["connection"]) == (503, "2", "close")
            crowd = [clients.enter_context(RawClient(address)) for _ in range(REFUSED_AT_ONCE)]
            assert crowd[0].response()[0] == 503
            assert crowd[-1].is_closed(), "so many are not even told"
        release.set()
        assert busy.response()[0] == late.response()[0] == 200


def test_a_large_response_before_the_end_of_the_body_is_read_to_its_end() -> None:
    """The time for the rest of the request begins when all of the response is on its way."""

    async def large(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % FLOOD)]})
        await send({"type": "http.response.body", "body": bytes(FLOOD)})

    limits = Limits(linger_s=0.2)
    with serving(large, limits) as address, RawClient(address) as client:
        client.send(b"POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 10\r\n\r\nhalf")
        for _ in range(10):  # longer than that time
            client.read_more()
            time.sleep(0.1)
        assert len(client.response()[2]) == FLOOD

"""Clients against a server that answers as the test says."""

import asyncio
import itertools
import time
from collections.abc import Awaitable, Callable

from soak.traffic.client import Client, End, Exchange
from soak.traffic.requests import Mix, get

REQUEST = get("/models")
MIX = Mix({"only": (1, lambda _: REQUEST)})
Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def response(status: str, body: bytes = b"", headers: str = "") -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n{headers}\r\n".encode() + body


def answering(*responses: bytes) -> tuple[Handler, list[int]]:
    """A handler that gives one response after the other, and for each request the number of its connection."""
    left, numbers = list(responses), itertools.count(1)
    requests: list[int] = []

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        number = next(numbers)
        while left and await reader.readuntil(b"\r\n\r\n"):
            requests.append(number)
            data = left.pop(0)
            writer.write(data)
            if not data or b"Connection: close" in data:
                break
        writer.close()

    return handle, requests


def run(handle: Handler, *, requests: int, **options: float) -> list[Exchange]:
    """Let a client send requests until it has noted so many exchanges."""

    async def serve() -> list[Exchange]:
        noted: list[Exchange] = []
        done = asyncio.Event()

        def note(exchange: Exchange) -> None:
            noted.append(exchange)
            if len(noted) >= requests:
                done.set()

        async with await asyncio.start_server(handle, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            client = Client(port, MIX, note, seed=0, **options)  # type: ignore[arg-type]
            task = asyncio.create_task(client.run(time.monotonic() + 60))
            await asyncio.wait_for(done.wait(), 30)
            task.cancel()
            await asyncio.wait([task])
        return noted[:requests]

    return asyncio.run(serve())


def test_a_client_keeps_its_connection_and_reads_chunks() -> None:
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
    handle, connections = answering(response("200 OK", b"first"), chunked, response("404 Not Found"))
    noted = run(handle, requests=3)
    assert [(one.status, one.answer and one.answer.body) for one in noted] == [
        (200, b"first"),
        (200, b"abcde"),
        (404, b""),
    ]
    assert connections == [1, 1, 1]


def test_a_refused_client_comes_back_once_when_it_was_told_to() -> None:
    refused = response("503 Service Unavailable", headers="Retry-After: 1\r\n")
    handle, _ = answering(refused, response("200 OK"), response("200 OK"))
    first, second, third = run(handle, requests=3)
    assert (first.is_refused, second.is_retry, third.is_retry) == (True, True, False)
    assert second.begun - (first.begun + first.seconds) >= 1.0


def test_a_connection_that_ends_without_a_response_is_a_lost_request() -> None:
    handle, connections = answering(b"", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\nConnection: close\r\n\r\nshort")
    assert [one.end for one in run(handle, requests=2)] == [End.lost, End.lost]
    assert connections == [1, 2]


def test_a_client_that_leaves_ends_its_connection() -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    noted = run(silent, requests=2, leave=1.0)
    assert [one.end for one in noted] == [End.left, End.left]
    assert all(one.seconds < 30 for one in noted)


def test_a_connection_that_the_service_announced_to_close_is_not_used_again() -> None:
    handle, connections = answering(response("200 OK", headers="Connection: close\r\n"), response("200 OK"))
    assert [one.status for one in run(handle, requests=2)] == [200, 200]
    assert connections == [1, 2]


def test_without_a_port_the_client_ends() -> None:
    async def unheard() -> list[Exchange]:
        async with await asyncio.start_server(lambda *_: None, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
        noted: list[Exchange] = []
        await Client(port, MIX, noted.append, seed=0).run(time.monotonic() + 60)
        return noted

    (only,) = asyncio.run(unheard())
    assert only.end is End.no_connection

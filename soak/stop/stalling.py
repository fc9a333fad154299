"""Clients that stall: each holds a connection and lets the service wait."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from soak.traffic.requests import get, picture, post

LARGE = get("/docs/files/swagger-ui-bundle.js")
"""A response of megabytes that costs the service little."""
UNREAD = 20
"""Such responses that a client asks for and does not read: more than the buffers of the two sockets hold."""


@asynccontextmanager
async def stalling_clients(port: int, number: int) -> AsyncIterator[None]:
    """So many clients of each kind: with half of their headers sent, with half of a body, and reading no response."""
    upload = post("/classify", picture("chelsea.png"))
    sent = (
        upload.head[: len(upload.head) // 2],
        upload.head + upload.body[: len(upload.body) // 2],
        LARGE.head * UNREAD,
    )
    writers = []
    try:
        for data in sent * number:
            # A small buffer, and nothing is read from it: what the service sends soon fills it.
            _, writer = await asyncio.open_connection("127.0.0.1", port, limit=1024)
            writer.write(data)
            writers.append(writer)
        yield
    finally:
        for writer in writers:
            writer.transport.abort()

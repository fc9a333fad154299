"""Middleware that reserves memory for the bodies of requests (app/memory/budget.py)."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.memory.budget import MemoryBudget, Reservation
from app.memory.costs import BODY

PIECE = 100_000
"""Bytes of a body for which memory is reserved at a time."""


class BodyMemory:
    """Reserves memory for a body as it arrives, decompressed, and holds it until the response is sent.

    So requests that are refused without their body, and clients that send nothing, hold none. Where there is none,
    MemoryIsTaken is raised to the application. Bodies get half of the memory at most, since a request that holds its
    body waits for what decoding takes.
    """

    def __init__(self, app: ASGIApp, memory: MemoryBudget) -> None:
        self.app = app
        self.memory = memory

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        reservations: list[Reservation] = []
        received = 0

        async def receive_and_reserve() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            while received > PIECE * len(reservations):
                reservations.append(self.memory.reserve_now(BODY * PIECE, leave=self.memory.most // 2))
            return message

        try:
            await self.app(scope, receive_and_reserve, send)
        finally:
            for reservation in reservations:
                reservation.release()

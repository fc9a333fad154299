"""Middleware that reserves memory for the bodies of requests (app/memory/budget.py)."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.memory.budget import MemoryBudget, Reservation
from app.memory.costs import BODY

PIECE = 100_000
"""Bytes of a body for which memory is reserved at a time."""
KEY = "body_memory"
"""Name under which the state of a request has what is reserved for its body."""


class BodyMemory:
    """Reserves memory for a body as it arrives, decompressed, and holds it until the response is sent.

    So requests that are refused without their body, and clients that send nothing, hold none. Where there is none,
    MemoryIsTaken is raised to the application, and NeedsTooMuchMemory where there could never be enough. Bodies get
    half of the memory at most, since a request that holds its body waits for what decoding takes.
    """

    def __init__(self, app: ASGIApp, memory: MemoryBudget) -> None:
        self.app = app
        self.memory = memory

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        reservations: list[Reservation] = []
        scope.setdefault("state", {})[KEY] = reservations
        received = 0

        async def receive_and_reserve() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            while received > PIECE * len(reservations):
                half, held = self.memory.most // 2, body_memory(scope)
                reservations.append(self.memory.reserve_now(BODY * PIECE, leave=half, held=held))
            return message

        try:
            await self.app(scope, receive_and_reserve, send)
        finally:
            for reservation in reservations:
                reservation.release()


def body_memory(scope: Scope) -> int:
    """Bytes that are reserved for the body of this request so far."""
    return sum(reservation.size for reservation in scope.get("state", {}).get(KEY, ()))

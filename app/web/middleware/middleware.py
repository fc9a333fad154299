"""What surrounds every request: its id, the bound on its body, and an answer when the service must end at once."""

import asyncio
import re
import uuid

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.engine.engine import ShuttingDown
from app.web import problems

GOOD_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")


class RequestId:
    """Gives every response an X-Request-ID: the client's own where it is harmless, else a new one."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        given = Headers(scope=scope).get("X-Request-ID", "")
        request_id = given if GOOD_ID.fullmatch(given) else uuid.uuid4().hex
        scope.setdefault("state", {})["request_id"] = request_id

        async def send_with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)["X-Request-ID"] = request_id
            await send(message)

        await self.app(scope, receive, send_with_id)


class EndedEarly:
    """Answers 503 to a request that is cancelled: after a second Ctrl-C, or when the time for a quiet end is over.

    The cancellation is not passed on: the server would log it, with its traceback, as a failure of the service.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._lifespan(scope, receive, send)
        begun = False

        async def send_and_note(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self.app(scope, receive, send_and_note)
        except asyncio.CancelledError:
            if not begun:
                error = ShuttingDown("the service ended before the answer was there: send the request again later")
                await problems.response(error, Request(scope))(scope, receive, send)

    async def _lifespan(self, scope: Scope, receive: Receive, send: Send) -> None:
        cancelled = False

        async def receive_and_note() -> Message:
            nonlocal cancelled
            try:
                return await receive()
            except asyncio.CancelledError:
                cancelled = True
                raise

        async def send_without_traceback(message: Message) -> None:
            await send({**message, "message": ""} if cancelled else message)

        await self.app(scope, receive_and_note, send_without_traceback)


class BodyTooLarge(HTTPException):
    """The request's body is over the limit."""

    def __init__(self, max_bytes: int) -> None:
        super().__init__(
            413, f"the request's body is over {max_bytes:,} bytes: send a smaller picture, or raise MIRAGE_MAX_BYTES"
        )


class BodyLimit:
    """Refuses a body over `max_bytes`: by its announced length at once, else when it has grown too long."""

    def __init__(self, app: ASGIApp, max_bytes: int) -> None:
        self.app = app
        self.max_bytes = max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        announced = Headers(scope=scope).get("Content-Length", "0")
        if not announced.isdecimal() or int(announced) > self.max_bytes:
            answer = problems.response(BodyTooLarge(self.max_bytes), Request(scope))
            return await answer(scope, receive, send)
        received = 0

        async def receive_within_limit() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > self.max_bytes:
                raise BodyTooLarge(self.max_bytes)
            return message

        await self.app(scope, receive_within_limit, send)

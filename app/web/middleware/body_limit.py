"""Middleware that refuses request bodies over the limit of MIRAGE_MAX_BYTES."""

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.web import problems


class BodyTooLarge(HTTPException):
    """The body of the request is over the limit."""

    def __init__(self, max_bytes: int) -> None:
        super().__init__(
            413,
            f"the body of the request is over {max_bytes:,} bytes: send a smaller picture, or ask the operator to "
            "raise MIRAGE_MAX_BYTES",
        )


class BodyLimit:
    """Refuses a body over `max_bytes`: at once if its Content-Length says so, otherwise when that much has arrived."""

    def __init__(self, app: ASGIApp, max_bytes: int) -> None:
        self.app = app
        self.max_bytes = max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        content_length = Headers(scope=scope).get("Content-Length", "0")
        if not content_length.isdecimal() or int(content_length) > self.max_bytes:
            refusal = problems.response(BodyTooLarge(self.max_bytes), Request(scope))
            return await refusal(scope, receive, send)
        received = 0

        async def receive_within_limit() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > self.max_bytes:
                raise BodyTooLarge(self.max_bytes)
            return message

        await self.app(scope, receive_within_limit, send)

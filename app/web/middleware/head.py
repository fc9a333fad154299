"""Middleware that supports HEAD wherever GET works: the same status and headers, no body (RFC 9110, 9.3.2)."""

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send


class Head:
    """Runs the GET operation for HEAD and drops its body; an expensive operation can ask `is_head` and do less."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)

        async def send_with_allow(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] == 405:
                _allow_head(MutableHeaders(scope=message))
            await send(message)

        if scope["method"] != "HEAD":
            return await self.app(scope, receive, send_with_allow)
        scope.setdefault("state", {})["head"] = True

        async def send_without_body(message: Message) -> None:
            if message["type"] == "http.response.body":
                message = {**message, "body": b""}
            await send_with_allow(message)

        await self.app({**scope, "method": "GET"}, receive, send_without_body)


def is_head(request: Request) -> bool:
    """Whether the client asked for the headers only."""
    return bool(getattr(request.state, "head", False))


def _allow_head(headers: MutableHeaders) -> None:
    allowed = [method.strip() for method in headers.get("Allow", "").split(",")]
    if "GET" in allowed and "HEAD" not in allowed:
        headers["Allow"] = ", ".join([*allowed, "HEAD"])

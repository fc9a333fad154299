"""Middleware that answers requests which are cancelled because the process must end."""

import asyncio

from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.engine.admission import ShuttingDown
from app.web import problems


class CancelledRequests:
    """Answers 503 to a request that is cancelled: after a second Ctrl-C, or when the time for a graceful end is over.

    The cancellation is not passed on: the server would log it, with its traceback, as a failure of the service.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._lifespan(scope, receive, send)
        response_begun = False

        async def send_and_note(message: Message) -> None:
            nonlocal response_begun
            await send(message)  # may be cancelled while it waits for a client that does not read
            response_begun = True

        try:
            await self.app(scope, receive, send_and_note)
        except asyncio.CancelledError:
            if not response_begun:
                error = ShuttingDown(
                    "the service is stopping and the result is not ready: send the request again later"
                )
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

"""Middleware that refuses requests whose bodies arrive too slowly."""

import time

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.engine.admission import ShuttingDown
from app.web.stopping import Stopping

BYTES_PER_S = 500
"""Least rate at which a body arrives, apart from one pause. It is that of Apache's mod_reqtimeout."""


class BodyTooSlow(HTTPException):
    """The body of the request has not arrived in time."""

    def __init__(self, idle_s: float, deadline_s: float) -> None:
        super().__init__(
            408,
            f"the body of the request arrived too slowly (nothing for {idle_s:g} s, fewer than {BYTES_PER_S} bytes per "
            f"second, or not all of it within {deadline_s:g} s): send the request again over a faster connection, or "
            "with a smaller picture",
        )


class BodyTimeout:
    """Refuses a body if none of it arrives for `idle_s` seconds, or if it is not complete in time.

    It is complete in time if that is within `deadline_s` seconds from the arrival of the request, and if all waiting
    for it took at most `idle_s` seconds and one for each BYTES_PER_S bytes. When the service stops, bodies that are not
    complete are refused at once. Time counts only while the application waits for the body.
    """

    def __init__(self, app: ASGIApp, stopping: Stopping, *, idle_s: float, deadline_s: float) -> None:
        self.app = app
        self.stopping = stopping
        self.idle_s = idle_s
        self.deadline_s = deadline_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        is_complete = response_begun = False
        received, waited = 0, 0.0
        end = scope["state"]["arrived"] + self.deadline_s

        async def receive_in_time() -> Message:
            nonlocal is_complete, received, waited
            if is_complete:
                return await receive()
            now = time.monotonic()
            seconds = min(self.idle_s, self.idle_s + received / BYTES_PER_S - waited, end - now)
            try:
                async with self.stopping.waiting_for_body(seconds):
                    message = await receive()
            except TimeoutError as error:
                if response_begun:  # too late for another one
                    return {"type": "http.disconnect"}
                raise self._refusal() from error
            waited += time.monotonic() - now
            received += len(message.get("body", b""))
            is_complete = not message.get("more_body", False)
            return message

        async def send_and_note(message: Message) -> None:
            nonlocal response_begun
            response_begun = True
            await send(message)

        await self.app(scope, receive_in_time, send_and_note)

    def _refusal(self) -> Exception:
        if self.stopping.refuses_bodies:
            return ShuttingDown("the service is stopping: send the request again, to another instance")
        return BodyTooSlow(self.idle_s, self.deadline_s)

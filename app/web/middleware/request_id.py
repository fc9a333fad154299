"""Middleware that gives every response an id, by which a problem report finds its lines in the log."""

import re
import uuid

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.telemetry.record import begin_record

HARMLESS_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
"""Ids of clients that are safe to repeat in headers, responses and logs."""


class RequestId:
    """Sets X-Request-ID on every response: the client's own id if it is harmless, otherwise a new random one.

    With it begins what is noted of the request for the log, the metrics and the traces.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        client_id = Headers(scope=scope).get("X-Request-ID", "")
        request_id = client_id if HARMLESS_ID.fullmatch(client_id) else uuid.uuid4().hex
        scope.setdefault("state", {})["request_id"] = request_id
        scope["state"]["arrived"] = begin_record(request_id).arrived

        async def send_with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)["X-Request-ID"] = request_id
            await send(message)

        await self.app(scope, receive, send_with_id)

"""Problems of a connection itself, which are answered before any request reaches the application."""

import uuid

from starlette.exceptions import HTTPException
from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from app.web import problems
from app.web.middleware.security_headers import HEADERS
from app.web.schemas import Problem

RETRY_AFTER_S = 2
"""Seconds after which a client may try to connect again when there are too many connections."""


class MalformedRequest(HTTPException):
    """What the client sent is not HTTP/1.1."""

    def __init__(self) -> None:
        super().__init__(
            400, "the request is not valid HTTP/1.1, so it could not be read: send it with an HTTP library or curl"
        )


class UpgradeWithBody(HTTPException):
    """The request asks for another protocol, and has a body that can therefore not be read."""

    def __init__(self) -> None:
        super().__init__(
            400,
            "the service speaks HTTP/1.1 only, and cannot read the body of a request with the headers Connection: "
            "Upgrade: send the request without them (in Java's HttpClient, choose the version HTTP_1_1)",
        )


class HeadersTooLarge(HTTPException):
    """The request line and headers, or the framing of the body, are over the limit."""

    def __init__(self, header_bytes: int, header_fields: int) -> None:
        super().__init__(
            431,
            f"the request line and headers are over {header_bytes:,} bytes or {header_fields} fields, or the chunks of "
            "the body are too small: send fewer and shorter headers (cookies, for example), put long options into the "
            "body, and send larger chunks",
        )


class HeadersTooSlow(HTTPException):
    """The headers of a request were not complete in time."""

    def __init__(self, header_s: float) -> None:
        super().__init__(
            408,
            f"the headers of the request were not complete {header_s:g} s after its first byte: send the request again "
            "over a faster connection",
        )


class TooManyConnections(HTTPException):
    """The service has as many open connections as it may have, and none of them is idle."""

    def __init__(self) -> None:
        super().__init__(
            503,
            f"too many connections are open: try again in {RETRY_AFTER_S} s, and send several requests over one "
            "connection",
            {"Retry-After": str(RETRY_AFTER_S)},
        )


def refusal(error: Exception) -> tuple[Problem, bytes]:
    """The error's problem details, and the whole HTTP response with them.

    It tells the client that the connection is closed.
    """
    problem = problems.problem(error, uuid.uuid4().hex)
    body = problem.model_dump_json().encode()
    headers = {
        "content-type": problems.MEDIA_TYPE,
        "content-length": str(len(body)),
        "connection": "close",
        "x-request-id": problem.request_id,
        **(getattr(error, "headers", None) or {}),
        **({} if (seconds := getattr(error, "retry_after_s", None)) is None else {"retry-after": str(seconds)}),
        **{name.decode(): value.decode() for name, value in HEADERS},
    }
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return problem, STATUS_LINE[problem.status] + lines.encode() + b"\r\n" + body

"""The table error -> HTTP status, and its form on the wire: RFC 9457 problem details."""

import logging
import math
import re
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse, Response

from app.engine.batches import DoesNotFit
from app.engine.admission import Overloaded, ShuttingDown
from app.engine.registry import LoadingFailed, NotServed, StillLoading
from models.attacks.masks import BadMask
from models.attacks.options import BadAttack
from models.attacks.survive import BadSurvival
from models.attacks.task import AlreadyTarget
from models.classes import UnknownClass
from models.explain import BadExplanation
from models.ideal import BadIdeal
from models.layers import UnknownLayer
from models.pictures import BrokenPicture, NotAPicture, PictureTooLarge, UnclearLevels
from models.query import DeadlineExceeded

logger = logging.getLogger(__name__)

STATUS: dict[type[Exception], int] = {
    UnknownClass: 404,
    UnknownLayer: 404,
    NotServed: 404,
    PictureTooLarge: 413,
    NotAPicture: 415,
    UnclearLevels: 422,
    BrokenPicture: 422,
    BadAttack: 422,
    BadSurvival: 422,
    BadMask: 422,
    BadIdeal: 422,
    BadExplanation: 422,
    AlreadyTarget: 422,
    Overloaded: 503,
    ShuttingDown: 503,
    StillLoading: 503,
    LoadingFailed: 503,
    DoesNotFit: 503,
    DeadlineExceeded: 504,
}
TITLES = {
    400: "Bad Request",
    401: "Unauthorized",
    404: "Not Found",
    405: "Method Not Allowed",
    406: "Not Acceptable",
    413: "Content Too Large",
    415: "Unsupported Media Type",
    422: "Unprocessable Content",
    500: "Internal Server Error",
    503: "Service Unavailable",
    504: "Gateway Timeout",
}
"""RFC 9110's, spelt out: Python's own phrases change with its version."""
NEXT_STEP = {
    "Not Found": "there is nothing at this address: GET /docs shows what there is",
    "Method Not Allowed": "this address takes another method, named in the header Allow: GET /docs shows how",
}
"""What is said in place of the framework's bare phrases."""
MEDIA_TYPE = "application/problem+json"
CLIENT_LEFT = 499


class ClientLeft(Exception):
    """Nobody waits for the answer any more."""


def problem(error: Exception, request_id: str = "") -> dict[str, Any]:
    """The problem details of an error: type, title, status, detail and the request's id."""
    status = _status(error)
    name = type(error).__name__ if type(error) in STATUS else TITLES.get(status, "Problem").replace(" ", "")
    return {
        "type": "urn:mirage:problem:" + re.sub(r"(?<!^)(?=[A-Z])", "-", name).lower(),
        "title": TITLES.get(status, "Problem"),
        "status": status,
        "detail": _detail(error, status),
        "request_id": request_id,
    }


def _status(error: Exception) -> int:
    if isinstance(error, HTTPException):
        return error.status_code
    if isinstance(error, RequestValidationError):
        return 422
    return next((status for kind, status in STATUS.items() if isinstance(error, kind)), 500)


def _detail(error: Exception, status: int) -> str:
    if isinstance(error, RequestValidationError):
        return "; ".join(_told(fault) for fault in error.errors())
    if isinstance(error, HTTPException):
        return NEXT_STEP.get(str(error.detail), str(error.detail))
    if isinstance(error, UnknownClass | UnknownLayer):
        return f"{error} (GET /models/{{name}} lists all)"
    if isinstance(error, BadAttack | BadExplanation | BadIdeal | BadSurvival):
        return f"{error} (GET /docs tells which options go together)"
    if status == 500:
        return "the service failed: report it with the request's id, under which its log has the reason"
    return str(error)


def _told(fault: dict[str, Any]) -> str:
    """A fault that pydantic found: where, what is wanted, what came, and what to do."""
    where = ".".join(str(part) for part in fault["loc"][1:]) or fault["loc"][0]
    wanted = fault["msg"].removeprefix("Value error, ")
    if fault["type"] == "missing":
        return f"{where}: {wanted}: give it (GET /docs shows how)"
    if fault["type"] == "extra_forbidden":
        return f"{where}: {wanted} (there is no option of this name): leave it out (GET /docs lists the options)"
    came = "" if isinstance(fault["input"], dict | bytes) else f", and {str(fault['input'])[:50]!r} came"
    return f"{where}: {wanted}{came}: choose another value (GET /docs tells the options' bounds)"


def response(error: Exception, request: Request) -> Response:
    """An error as the client gets it."""
    request_id = getattr(request.state, "request_id", "")
    headers = {"X-Request-ID": request_id}
    if isinstance(error, HTTPException):
        headers |= dict(error.headers or {})
    if retry_after_s := getattr(error, "retry_after_s", None):
        headers["Retry-After"] = str(math.ceil(retry_after_s))
    body = problem(error, request_id)
    return JSONResponse(body, body["status"], headers, media_type=MEDIA_TYPE)


def install(app: FastAPI) -> None:
    """Let every error of the application leave as a problem."""

    async def handle(request: Request, error: Exception) -> Response:
        answer = response(error, request)
        if answer.status_code == 500:
            logger.error("request %s failed; the traceback follows", answer.headers["X-Request-ID"])
        return answer

    async def client_left(request: Request, error: Exception) -> Response:
        return Response(status_code=CLIENT_LEFT)

    for kind in (*STATUS, HTTPException, RequestValidationError, Exception):
        app.add_exception_handler(kind, handle)
    for kind in (ClientLeft, ClientDisconnect):  # ours, and Starlette's for a body that broke off
        app.add_exception_handler(kind, client_left)

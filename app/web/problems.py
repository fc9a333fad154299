"""Errors as HTTP responses: the table of their statuses, and problem details (RFC 9457) that say what to do next."""

import logging
import math
import re

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic_core import ErrorDetails
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response

from app.decoding.process import CannotDecode
from app.engine.admission import Overloaded, ShuttingDown, TooLate
from app.engine.batches import DoesNotFit
from app.engine.catalogue import LoadingFailed, NotServed, StillLoading
from app.engine.engine import EngineFailed
from app.engine.outputs import NotFinite
from app.keys.quota import QuotaUsedUp
from app.keys.wrong_keys import TooManyWrongKeys
from app.memory.budget import MemoryIsTaken, NeedsTooMuchMemory
from app.telemetry.record import current_record
from app.web.schemas import Problem
from models.attacks.masks import BadMask
from models.attacks.one_label import NoLabel
from models.attacks.options import BadAttack
from models.attacks.survive import BadSurvival
from models.attacks.task import AlreadyTarget
from models.classes import UnknownClass
from models.explain import BadExplanation
from models.ideal import BadIdeal
from models.layers import UnknownLayer
from models.pictures import BrokenPicture, NotAPicture, PictureTooLarge, UnclearLevels
from models.query import DeadlineExceeded
from models.store import NoCard

logger = logging.getLogger(__name__)

STATUS: dict[type[Exception], int] = {
    UnknownClass: 404,
    UnknownLayer: 404,
    NotServed: 404,
    NoCard: 404,
    PictureTooLarge: 413,
    NeedsTooMuchMemory: 413,
    NotAPicture: 415,
    UnclearLevels: 422,
    BrokenPicture: 422,
    BadAttack: 422,
    BadSurvival: 422,
    BadMask: 422,
    BadIdeal: 422,
    BadExplanation: 422,
    AlreadyTarget: 422,
    NoLabel: 422,
    NotFinite: 500,
    QuotaUsedUp: 429,
    TooManyWrongKeys: 429,
    Overloaded: 503,
    MemoryIsTaken: 503,
    CannotDecode: 503,
    EngineFailed: 503,
    TooLate: 503,
    ShuttingDown: 503,
    StillLoading: 503,
    LoadingFailed: 503,
    DoesNotFit: 503,
    DeadlineExceeded: 504,
}
TITLES = {
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    406: "Not Acceptable",
    408: "Request Timeout",
    413: "Content Too Large",
    415: "Unsupported Media Type",
    422: "Unprocessable Content",
    429: "Too Many Requests",
    431: "Request Header Fields Too Large",
    500: "Internal Server Error",
    503: "Service Unavailable",
    504: "Gateway Timeout",
}
"""The reason phrases of RFC 9110. Those of http.HTTPStatus differ between versions of Python."""
ADVICE = {
    "Not Found": "the service has no operation at this path: GET /docs lists all operations",
    "Method Not Allowed": "this path does not support the method of the request: use one of those in the response "
    "header Allow; GET /docs shows how",
}
"""Details that replace the bare phrases of the framework."""
PREFIX = "urn:mirage:problem:"
"""Beginning of the types of problem details."""
MEDIA_TYPE = "application/problem+json"
MOST_FAULTS = 5
"""Options that are not valid of which an error says what is wrong; others are counted."""
CLIENT_LEFT = 499
"""Status of a request whose client has disconnected; nobody receives it, but logs and metrics show it."""


class ClientLeft(Exception):
    """The client has disconnected, so that nobody waits for the response."""


def problem(error: Exception, request_id: str = "") -> Problem:
    """The problem details of an error."""
    status = _status(error)
    name = type(error).__name__ if type(error) in STATUS else TITLES.get(status, "Problem").replace(" ", "")
    return Problem(
        type=PREFIX + re.sub(r"(?<!^)(?=[A-Z])", "-", name).lower(),
        title=TITLES.get(status, "Problem"),
        status=status,
        detail=_detail(error, status),
        request_id=request_id,
    )


def returned_problem(error: Exception, request_id: str = "") -> Problem:
    """The problem details of an error with which the present request ends; its type is noted for log and metrics."""
    details = problem(error, request_id)
    if (record := current_record()) is not None:
        record.problem = short_type(details)
    return details


def short_type(details: Problem) -> str:
    """The type of problem details as log and metrics have it: without its prefix."""
    return details.type.removeprefix(PREFIX)


def _status(error: Exception) -> int:
    if isinstance(error, HTTPException):
        return error.status_code
    if isinstance(error, RequestValidationError):
        return 422
    return next((status for kind, status in STATUS.items() if isinstance(error, kind)), 500)


def _detail(error: Exception, status: int) -> str:
    if isinstance(error, RequestValidationError):
        faults = error.errors()
        described = [_describe_fault(fault) for fault in faults[:MOST_FAULTS]]
        more = [f"and {len(faults) - MOST_FAULTS} more options are not valid"] if len(faults) > MOST_FAULTS else []
        return "; ".join([*described, *more])
    if isinstance(error, HTTPException):
        return ADVICE.get(str(error.detail), str(error.detail))
    if isinstance(error, UnknownClass | UnknownLayer):
        return f"{error} (GET /models/{{name}} lists all classes and layers)"
    if isinstance(error, BadAttack | BadExplanation | BadIdeal | BadSurvival):
        return f"{error} (GET /docs explains each option)"
    if status == 500 and type(error) not in STATUS:
        return "an unexpected error in the service: report it with this request id, under which the log has the reason"
    return str(error)


def _describe_fault(fault: ErrorDetails) -> str:
    """A fault that pydantic found: the option, its value, what is wrong with it, and what to do next."""
    option = (".".join(str(part) for part in fault["loc"][1:]) or str(fault["loc"][0]))[:100]
    reason = fault["msg"].removeprefix("Value error, ")
    if fault["type"] == "missing":
        return f"{option}: this option is required: add it (GET /docs explains it)"
    if fault["type"] == "extra_forbidden":
        return f"{option}: there is no option of this name: correct or remove it (GET /docs lists the options)"
    value = "" if isinstance(fault["input"], dict | bytes) else f"{str(fault['input'])[:50]!r} is not valid: "
    advice = "" if reason.startswith("choose ") else ": choose another value"
    return f"{option}: {value}{reason}{advice} (GET /docs explains the option)"


def response(error: Exception, request: Request) -> Response:
    """The response to a request that ended with the error."""
    request_id = getattr(request.state, "request_id", "")
    headers = {"X-Request-ID": request_id}
    if isinstance(error, HTTPException):
        headers |= dict(error.headers or {})
    if retry_after_s := getattr(error, "retry_after_s", None):
        headers["Retry-After"] = str(math.ceil(retry_after_s))
    body = returned_problem(error, request_id)
    return Response(body.model_dump_json(), body.status, headers, media_type=MEDIA_TYPE)


def install(app: FastAPI) -> None:
    """Turn every error of the application into a response with problem details."""

    async def handle(request: Request, error: Exception) -> Response:
        problem_response = response(error, request)
        if problem_response.status_code == 500:
            logger.error("request %s failed; the traceback follows", problem_response.headers["X-Request-ID"])
        return problem_response

    async def client_left(request: Request, error: Exception) -> Response:
        return Response(status_code=CLIENT_LEFT)

    for kind in (*STATUS, HTTPException, RequestValidationError, Exception):
        app.add_exception_handler(kind, handle)
    for kind in (ClientLeft, ClientDisconnect):  # Starlette raises ClientDisconnect when a request body breaks off
        app.add_exception_handler(kind, client_left)

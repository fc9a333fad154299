"""Which pages of other origins may call (the Fetch standard's CORS protocol)."""

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from app.web import problems
from app.web.streaming import HEADERS

METHODS = ("GET", "HEAD", "POST", "OPTIONS")
EXPOSED = (
    *(f"X-Mirage-{name}" for name in HEADERS),
    "X-Request-ID",
    "ETag",
    "Retry-After",
    "Allow",
    "Location",
    "WWW-Authenticate",
)
"""Headers that a page's script may read."""
ADD = "have the operator add the page's origin to MIRAGE_CORS_ORIGINS"


class RefusedPreflight(HTTPException):
    """A preflight of an origin, or for a method, that is not allowed."""


class Cors(CORSMiddleware):
    """Starlette's, whose refusals are problems that say which setting allows more."""

    def __init__(self, app: ASGIApp, origins: tuple[str, ...]) -> None:
        super().__init__(
            app,
            allow_origins=origins,
            allow_methods=METHODS,
            allow_headers=("*",),  # the key's, Content-Type, and what clients' libraries add: no cookies are at stake
            allow_private_network="*" not in origins,
            expose_headers=EXPOSED,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = Headers(scope=scope) if scope["type"] == "http" else Headers()
        if scope.get("method") != "OPTIONS" or not {"origin", "access-control-request-method"} <= set(headers.keys()):
            return await super().__call__(scope, receive, send)
        answer = self.preflight_response(headers)
        if answer.status_code != 200:
            answer = self._refusal(headers, Request(scope), answer)
        await answer(scope, receive, send)

    def _refusal(self, headers: Headers, request: Request, plain: Response) -> Response:
        origin, method = headers["Origin"], headers["Access-Control-Request-Method"]
        if not self.is_allowed_origin(origin):
            detail = f"web pages of {origin[:100]!r} may not call this service: {ADD}"
        elif method not in METHODS:
            detail = f"no operation takes the method {method[:20]!r}: choose one of {', '.join(METHODS)}"
        else:
            detail = f"a page of the public internet may call a private address only if its origin is named: {ADD}"
        refusal = problems.response(RefusedPreflight(400, detail), request)
        for name in ("Access-Control-Allow-Origin", "Vary"):
            if name in plain.headers:
                refusal.headers[name] = plain.headers[name]
        return refusal

"""Middleware that lets web pages of other origins call the service (CORS, as the Fetch standard defines it)."""

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from app.web import problems
from app.web.outcomes import HEADERS

METHODS = ("GET", "HEAD", "POST", "OPTIONS")
"""HTTP methods that web pages of other origins may use."""

EXPOSED = (
    *(f"X-Mirage-{name}" for name in HEADERS),
    "X-Request-ID",
    "ETag",
    "Retry-After",
    "Allow",
    "Location",
    "WWW-Authenticate",
    "Server-Timing",
)
"""Response headers that the scripts of such pages may read."""
ADVICE = "ask the operator to add the origin of the page to MIRAGE_CORS_ORIGINS"


class RefusedPreflight(HTTPException):
    """The preflight request names an origin or a method that is not allowed."""


class Cors(CORSMiddleware):
    """Starlette's middleware; a refusal has problem details, which name the setting that would allow the request."""

    def __init__(self, app: ASGIApp, origins: tuple[str, ...]) -> None:
        super().__init__(
            app,
            allow_origins=origins,
            allow_methods=METHODS,
            allow_headers=("*",),  # X-API-Key, Content-Type and what client libraries add; the service uses no cookies
            allow_private_network="*" not in origins,
            expose_headers=EXPOSED,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = Headers(scope=scope) if scope["type"] == "http" else Headers()
        if scope.get("method") != "OPTIONS" or not {"origin", "access-control-request-method"} <= set(headers.keys()):
            return await super().__call__(scope, receive, send)
        response = self.preflight_response(headers)
        if response.status_code != 200:
            response = self._explained_refusal(headers, Request(scope), response)
        await response(scope, receive, send)

    def _explained_refusal(self, headers: Headers, request: Request, plain: Response) -> Response:
        """Problem details in place of Starlette's plain refusal, with the headers of that."""
        origin, method = headers["Origin"], headers["Access-Control-Request-Method"]
        if not self.is_allowed_origin(origin):
            detail = f"web pages of the origin {origin[:100]!r} may not call this service: {ADVICE}"
        elif method not in METHODS:
            detail = f"no operation supports the method {method[:20]!r}: choose one of {', '.join(METHODS)}"
        else:
            detail = (
                "a page of the public internet may call a service in a private network only if the operator has named "
                f"its origin: {ADVICE}"
            )
        refusal = problems.response(RefusedPreflight(400, detail), request)
        for name in ("Access-Control-Allow-Origin", "Vary"):
            if name in plain.headers:
                refusal.headers[name] = plain.headers[name]
        return refusal

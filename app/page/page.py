"""The endpoint GET / with the web page, and its scripts, styles, languages and sample pictures below /page."""

from pathlib import Path

from fastapi import FastAPI, Request
from starlette.middleware.gzip import GZipMiddleware
from starlette.responses import HTMLResponse, Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from app.web.docs import path_prefix

FILES = Path(__file__).parent / "files"
"""Folder of the files that browsers get as they are."""
SECURITY_POLICY = "; ".join(
    [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data: blob:",  # data: pictures of the service's responses; blob: the visitor's own photo
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        # Scripts may not turn text into HTML; lit-html does so with its templates, which are part of the scripts.
        "require-trusted-types-for 'script'",
        "trusted-types lit-html",
    ]
)
"""The Content-Security-Policy of the page: everything comes from the service itself, and nothing stands inline."""
HEADERS = {
    "Content-Security-Policy": SECURITY_POLICY,
    "Permissions-Policy": "camera=(self), microphone=(), geolocation=()",
    "Cache-Control": "no-cache",
}
"""Headers of the page and its files. Browsers ask each time whether a file has changed: an update is seen at once."""


class PageFiles(StaticFiles):
    """The files of the page, with its headers."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        """The file at the path below the folder; raises HTTPException 404 if there is none."""
        response = await super().get_response(path, scope)
        response.headers.update(HEADERS)
        return response


def install(app: FastAPI) -> None:
    """Serve the page and its files. They need no API key: they contain nothing of the service."""

    html = (FILES / "index.html").read_text(encoding="utf-8")

    @app.get("/", include_in_schema=False)
    async def page(request: Request) -> HTMLResponse:
        # Behind a proxy the page may be opened as /mirage, without a slash at the end: a browser would then look for
        # `page/scripts` beside that path, not below it.
        prefix = path_prefix(request)
        linked = html.replace('"page/', f'"{prefix}/page/').replace('"docs"', f'"{prefix}/docs"')
        return HTMLResponse(linked, headers=HEADERS)

    app.mount("/page", GZipMiddleware(PageFiles(directory=FILES), compresslevel=6), name="page-files")

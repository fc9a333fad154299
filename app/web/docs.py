"""The page /docs with Swagger UI. The service itself has the files of Swagger UI: the page works without internet."""

from fastapi import FastAPI, Request
from fastapi.openapi.docs import get_swagger_ui_html
from starlette.responses import HTMLResponse
from starlette.staticfiles import StaticFiles

FILES = "/docs/files"
"""Path of Swagger UI's scripts and styles."""
PARAMETERS = {"tryItOutEnabled": True, "displayRequestDuration": True, "defaultModelsExpandDepth": 0}
"""Swagger UI's own options: forms are editable at once, durations are shown, and the list of schemas is folded."""
POLICY = (
    "default-src 'none'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
"""Content-Security-Policy of the page: Swagger UI is started by a script in the page and sets styles of its own, and
pictures are data URLs and blobs. Nothing is loaded from other hosts, and no page may show this one in a frame."""


def install(app: FastAPI) -> None:
    """Serve the page."""

    @app.get("/docs", include_in_schema=False)
    async def docs(request: Request) -> HTMLResponse:
        prefix = path_prefix(request)
        page = get_swagger_ui_html(
            openapi_url=f"{prefix}{app.openapi_url}",
            title="Mirage: try the API",
            swagger_js_url=f"{prefix}{FILES}/swagger-ui-bundle.js",
            swagger_css_url=f"{prefix}{FILES}/swagger-ui.css",
            swagger_favicon_url=f"{prefix}{FILES}/favicon-32x32.png",
            swagger_ui_parameters=PARAMETERS,
        )
        page.headers["Content-Security-Policy"] = POLICY
        return page

    # The package fastapi-swagger contains the files that Swagger UI's authors publish.
    app.mount(FILES, StaticFiles(packages=[("fastapi_swagger", "resources")]), name="docs-files")


def path_prefix(request: Request) -> str:
    """The path under which a proxy publishes the service; empty without one."""
    return str(request.scope.get("root_path", "")).rstrip("/")

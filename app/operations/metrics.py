"""GET /metrics: the metrics of the service, in Prometheus' text format."""

from fastapi import APIRouter, Request
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from app.web.openapi import Responses

router = APIRouter(tags=["health"])
EXAMPLE = (
    "# HELP mirage_engine_done_total Tasks that ended with a result.\n"
    "# TYPE mirage_engine_done_total counter\n"
    "mirage_engine_done_total 42.0\n"
)
RESPONSES: Responses = {
    200: {
        "description": "All metrics, in the text format that Prometheus scrapes.",
        "content": {"text/plain": {"schema": {"type": "string"}, "example": EXAMPLE}},
    }
}


@router.get("/metrics", summary="Read the metrics for Prometheus", response_class=Response, responses=RESPONSES)
async def metrics(request: Request) -> Response:
    """Return how many requests were answered and where their time went, and the state of the service's parts.

    docs/reference/observability.md in the sources explains each metric.
    """
    text = await run_in_threadpool(generate_latest, request.app.state.metrics)
    return Response(text, headers={"Content-Type": CONTENT_TYPE_LATEST})

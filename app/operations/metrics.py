"""GET /metrics: the engine's counters, for Prometheus."""

from fastapi import APIRouter
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from starlette.responses import Response

from app.operations.engine_metrics import EngineCollector
from app.web.service import ServiceDependency

router = APIRouter(tags=["health"])


@router.get(
    "/metrics", summary="Prometheus metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}}}
)
async def metrics(service: ServiceDependency) -> Response:
    """Rows and batches that went through the network, and what became of the requests."""
    registry = CollectorRegistry()
    registry.register(EngineCollector(service.engine))
    return Response(generate_latest(registry), headers={"Content-Type": CONTENT_TYPE_LATEST})

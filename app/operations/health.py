"""GET /health/live and /health/ready: the probes of an orchestrator. They need no API key."""

from fastapi import APIRouter
from starlette.responses import JSONResponse

from app.operations.responses import Health
from app.web.openapi import Responses
from app.web.service import ServiceDependency

router = APIRouter(tags=["health"], prefix="/health")
NOT_READY: Responses = {
    503: {"model": Health, "description": "Models are still being loaded, or the default model could not be loaded."}
}


@router.get("/live", summary="Check that the process is alive", response_description="The process is alive.")
async def live() -> Health:
    """Return the status `live` whenever the process responds at all, also while models are being loaded."""
    return Health(status="live")


@router.get(
    "/ready",
    summary="Check that requests can be served",
    response_model=Health,
    response_description="Requests can be served.",
    responses=NOT_READY,
)
async def ready(service: ServiceDependency) -> JSONResponse:
    """Return the status `ready` once all models are loaded and each has run once, to warm up.

    A model that could not be loaded counts only if it is the default model; GET /models says why it failed.
    """
    status = service.readiness()
    return JSONResponse({"status": status}, 200 if status == "ready" else 503)

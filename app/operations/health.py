"""GET /health/live and /health/ready: the probes of an orchestrator. They need no API key."""

from fastapi import APIRouter
from starlette.responses import JSONResponse

from app.operations.responses import Health
from app.web.openapi import Responses
from app.web.service import ServiceDependency

router = APIRouter(tags=["health"], prefix="/health")
NOT_LIVE: Responses = {503: {"model": Health, "description": "The service cannot go on, and is about to end."}}
NOT_READY: Responses = {
    503: {
        "model": Health,
        "description": "Models are still being loaded, the default model could not be loaded, or the service is about "
        "to stop.",
    }
}


@router.get(
    "/live",
    summary="Check that the process is alive",
    response_model=Health,
    response_description="The process is alive.",
    responses=NOT_LIVE,
)
async def live(service: ServiceDependency) -> JSONResponse:
    """Return the status `live` as long as the process can do its work, also while models are being loaded.

    The status is `failed` when the part that asks the models has failed too often; the process then ends by itself.
    """
    status = "failed" if service.engine.broken else "live"
    return JSONResponse({"status": status}, 503 if service.engine.broken else 200)


@router.get(
    "/ready",
    summary="Check that requests can be served",
    response_model=Health,
    response_description="Requests can be served.",
    responses=NOT_READY,
)
async def ready(service: ServiceDependency) -> JSONResponse:
    """Return the status `ready` once all models are loaded and each has run once, to warm up.

    A model that could not be loaded counts only if it is the default model; GET /models says why it failed. The status
    is `draining` when the service is about to stop: it still serves requests, but accepts no connections soon.
    """
    status = service.readiness()
    return JSONResponse({"status": status}, 200 if status == "ready" else 503)

"""The probes, which need no key: is the process alive, and can it do its work."""

from fastapi import APIRouter
from starlette.responses import JSONResponse

from app.operations.responses import Health
from app.web.openapi import Responses
from app.web.service import ServiceDependency

router = APIRouter(tags=["health"], prefix="/health")
NOT_READY: Responses = {
    503: {"model": Health, "description": "models are being loaded, or the default one could not be"}
}


@router.get("/live", summary="Is the process alive?")
async def live() -> Health:
    """Always `live`, as long as the process answers."""
    return Health(status="live")


@router.get("/ready", summary="Can requests be served?", response_model=Health, responses=NOT_READY)
async def ready(service: ServiceDependency) -> JSONResponse:
    """`ready` once the models are loaded and warm; one that failed only matters here where it is the default."""
    status = service.readiness()
    return JSONResponse({"status": status}, 200 if status == "ready" else 503)

"""GET /metrics: the counters of the engine in Prometheus' text format."""

from collections.abc import Iterator
from dataclasses import asdict

from fastapi import APIRouter
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from starlette.responses import Response

from app.engine.engine import Engine
from app.web.openapi import Responses
from app.web.service import ServiceDependency

router = APIRouter(tags=["health"])

HELP = {
    "forward_batches": "Batches that needed logits only (a forward pass).",
    "forward_rows": "Pictures in the batches that needed logits only.",
    "gradient_batches": "Batches that needed gradients as well (a forward and a backward pass).",
    "gradient_rows": "Pictures in the batches that needed gradients.",
    "done": "Tasks that ended with a result.",
    "failed": "Tasks that ended with an error.",
    "left": "Tasks that were cancelled because their client had disconnected.",
    "expired": "Tasks whose deadline passed before they had a result.",
    "refused": "Requests that were refused with status 503 because too many others were waiting or running.",
}
"""Help text of each field of the engine's Counters."""
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


class EngineCollector(Collector):
    """Reads the engine's counters when Prometheus scrapes, so that the engine itself spends no time on metrics."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    def collect(self) -> Iterator[Metric]:
        """One counter per field of Counters, and two gauges."""
        for name, value in asdict(self.engine.counters).items():
            yield CounterMetricFamily(f"mirage_engine_{name}", HELP[name], value=value)
        yield GaugeMetricFamily(
            "mirage_engine_alive", "Tasks that are waiting or running now.", value=self.engine.alive
        )
        yield GaugeMetricFamily(
            "mirage_engine_max_rows",
            "Largest number of pictures in one batch (MIRAGE_MAX_ROWS, or fewer after the device ran out of memory).",
            value=self.engine.max_rows,
        )


@router.get("/metrics", summary="Read the metrics for Prometheus", response_class=Response, responses=RESPONSES)
async def metrics(service: ServiceDependency) -> Response:
    """Return counts of batches and pictures that went through the network, and of tasks by how they ended."""
    registry = CollectorRegistry()
    registry.register(EngineCollector(service.engine))
    return Response(generate_latest(registry), headers={"Content-Type": CONTENT_TYPE_LATEST})

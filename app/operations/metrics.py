"""GET /metrics: the counters of the engine in Prometheus' text format."""

from collections.abc import Iterator
from dataclasses import asdict

from fastapi import APIRouter
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from starlette.responses import Response

from app.engine.engine import Engine
from app.engine.registry import Registry
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
    "refused": "Requests that were refused with status 503: too many others were waiting or running, their pictures "
    "needed too much memory, or the deadline would have passed first.",
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

    def __init__(self, engine: Engine, registry: Registry) -> None:
        self.engine = engine
        self.registry = registry

    def collect(self) -> Iterator[Metric]:
        """One counter per field of Counters, two gauges of the engine, and two of each model."""
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
        yield from self._pass_times()

    def _pass_times(self) -> Iterator[Metric]:
        seconds = GaugeMetricFamily(
            "mirage_pass_seconds",
            "Seconds that a batch of so many pictures (rows) takes, as the engine expects it from the latest batches.",
            labels=("model", "kind", "rows"),
        )
        knee = GaugeMetricFamily(
            "mirage_pass_knee_rows",
            "Pictures (rows) beyond which a batch brings no more pictures per second; the engine fills batches so far.",
            labels=("model", "kind"),
        )
        for name in self.registry.names:
            if self.registry.state(name) != "ready":
                continue
            pass_times = self.registry.get(name).classifier.pass_times
            for kind, times in (("forward", pass_times.forward), ("gradients", pass_times.gradients)):
                for rows, value in times.by_rows.items():
                    seconds.add_metric((name, kind, str(rows)), value)
                if times.knee is not None:
                    knee.add_metric((name, kind), times.knee)
        yield from (seconds, knee)


@router.get("/metrics", summary="Read the metrics for Prometheus", response_class=Response, responses=RESPONSES)
async def metrics(service: ServiceDependency) -> Response:
    """Return how many batches and pictures went through the network, how tasks ended, and how long passes take."""
    registry = CollectorRegistry()
    registry.register(EngineCollector(service.engine, service.registry))
    return Response(generate_latest(registry), headers={"Content-Type": CONTENT_TYPE_LATEST})

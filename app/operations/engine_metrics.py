"""The engine's counters for Prometheus."""

from collections.abc import Iterator
from dataclasses import asdict

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from app.engine.engine import Engine

MEANING = {
    "forward_batches": "batches that asked for logits alone",
    "forward_rows": "pictures in those batches",
    "gradient_batches": "batches that asked for gradients too",
    "gradient_rows": "pictures in those batches",
    "done": "tasks that came to their result",
    "failed": "tasks that ended in an error",
    "left": "tasks whose client left",
    "expired": "tasks whose deadline passed",
    "refused": "requests refused because all places were taken",
}


class EngineCollector(Collector):
    """Reads the engine at each scrape, so that counting costs the engine nothing."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    def collect(self) -> Iterator[Metric]:
        """One counter per field of Counters, and what is alive now."""
        for name, value in asdict(self.engine.counters).items():
            yield CounterMetricFamily(f"mirage_engine_{name}", MEANING[name], value=value)
        yield GaugeMetricFamily("mirage_engine_alive", "tasks that wait or run", value=self.engine.alive)
        yield GaugeMetricFamily("mirage_engine_max_rows", "rows in a batch at most", value=self.engine.max_rows)

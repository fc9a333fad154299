"""Metrics of the engine's batches: their rows, their seconds, and outputs that are no numbers."""

from weakref import WeakKeyDictionary

from prometheus_client import CollectorRegistry, Counter, Histogram

from app.engine.observer import FinishedBatch
from app.engine.registry import Registry
from app.web.metrics.requests import OTHER
from models.query import Network

ROWS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 4096)
"""Upper limits of the buckets, up to the largest MIRAGE_MAX_ROWS."""
SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60)


class ModelNames:
    """The names of the served models by their networks; a network keeps its name when it is no longer served."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._names: WeakKeyDictionary[Network, str] = WeakKeyDictionary()

    def of(self, network: Network) -> str:
        """The name of the network's model; `other` for a network that was never served by name."""
        name = self._names.get(network)
        return self._look_up(network) if name is None else name

    def _look_up(self, network: Network) -> str:
        for model in self._registry.ready():
            if model.classifier is network:
                self._names[network] = model.name
                return model.name
        return OTHER


class BatchMetrics:
    """Counts each batch."""

    def __init__(self, registry: CollectorRegistry, names: ModelNames) -> None:
        self._names = names
        self._rows = Histogram(
            "mirage_batch_rows",
            "Pictures (rows) in a batch of the network; the kind is forward (logits only) or gradients.",
            ("kind",),
            buckets=ROWS,
            registry=registry,
        )
        self._seconds = Histogram(
            "mirage_batch_duration_seconds",
            "Seconds of a batch of the network.",
            ("model", "kind"),
            buckets=SECONDS,
            registry=registry,
        )
        self._not_finite = Counter(
            "mirage_nonfinite_outputs",
            "Queries whose outputs were no numbers (NaN or infinite).",
            ("model",),
            registry=registry,
        )

    def add(self, batch: FinishedBatch) -> None:
        """Count a batch that was answered; the engine calls this."""
        model = self._names.of(batch.network)
        self._rows.labels(batch.kind).observe(batch.rows)
        self._seconds.labels(model, batch.kind).observe(batch.ended - batch.begun)
        if batch.not_finite:
            self._not_finite.labels(model).inc(batch.not_finite)

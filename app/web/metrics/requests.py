"""Metrics of the requests: how many, with which status, for which model, and where their time went."""

from prometheus_client import CollectorRegistry, Counter, Histogram

from app.telemetry.record import Record

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300)
"""Upper limits of the buckets: from the pass of a small network on a GPU to attacks of minutes."""
OTHER = "other"
"""Label of routes that the service does not have. Labels come from its own names alone, so their number is bounded."""


class RequestMetrics:
    """Counts each request at its end; safe to use from any thread."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._requests = Counter(
            "mirage_http_requests",
            "Requests that were answered. Status 499: the client left before the end. The model is empty where the "
            "request ended before one was chosen, and `other` where the one it names is not served.",
            ("route", "model", "status"),
            registry=registry,
        )
        self._seconds = Histogram(
            "mirage_http_request_duration_seconds",
            "Seconds from the arrival of a request to the end of its response.",
            ("route",),
            buckets=SECONDS,
            registry=registry,
        )
        self._phases = Histogram(
            "mirage_http_request_phase_seconds",
            "Seconds that a request was received (its body), queued, decoded, computed (its share of the batches) and "
            "encoded; only the phases that it had.",
            ("route", "phase"),
            buckets=SECONDS,
            registry=registry,
        )
        self._problems = Counter(
            "mirage_http_problems",
            "Problem details that were returned, by their type without the prefix urn:mirage:problem:.",
            ("route", "problem"),
            registry=registry,
        )
        self._cached = Counter(
            "mirage_cache_requests",
            "Requests for ideal pictures whose response was stored already (hit), or had to be drawn (miss).",
            ("result",),
            registry=registry,
        )
        for result in ("hit", "miss"):
            self._cached.labels(result)  # 0 until it happens

    def add(self, record: Record, seconds: float) -> None:
        """Count a request that has ended after so many seconds."""
        route = record.route or OTHER
        self._requests.labels(route, record.model, str(record.status)).inc()
        self._seconds.labels(route).observe(seconds)
        for phase, phase_seconds in record.seconds.copy().items():
            self._phases.labels(route, phase).observe(phase_seconds)
        if record.problem:
            self._problems.labels(route, record.problem).inc()
        if record.from_cache is not None:
            self._cached.labels("hit" if record.from_cache else "miss").inc()

"""Metrics that are read from the parts of the service at each scrape, so that those spend no time on them."""

import platform
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict
from typing import get_args

import torch
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.registry import Collector

from app.engine.catalogue import State
from app.engine.engine import Engine
from app.engine.registry import Registry
from app.web.security import KeyCheck
from app.web.service import Service
from models.version import project_version

STATES: tuple[State, ...] = get_args(State)
HELP = {
    "forward_batches": "Batches that needed logits only (a forward pass).",
    "forward_rows": "Pictures in the batches that needed logits only.",
    "gradient_batches": "Batches that needed gradients as well (a forward and a backward pass).",
    "gradient_rows": "Pictures in the batches that needed gradients.",
    "done": "Tasks that ended with a result.",
    "failed": "Tasks that ended with an error.",
    "left": "Tasks that were cancelled because their client had disconnected.",
    "expired": "Tasks whose deadline passed before they had a result.",
    "driver_failures": "Times that the engine failed or hung; it is started again, unless that happened too often.",
    "refused_for_memory": "Of the refused requests, those for whose pictures memory was lacking.",
    "refused_too_late": "Of the refused requests, those whose deadline would have passed before their turn.",
    "refused": "Requests that were refused with status 503: too many others were waiting or running, their pictures "
    "needed too much memory, or the deadline would have passed first.",
}
"""Help text of each field of the engine's Counters."""


class ServiceCollector(Collector):
    """Reads a running service: its engine, decoder processes, memory and models."""

    def __init__(self, service: Callable[[], Service]) -> None:
        self._service = service

    def collect(self) -> Iterator[Metric]:
        """All metrics of the service's parts."""
        service = self._service()
        yield _gauge("mirage_ready", "1 if requests are served, else 0.", service.readiness() == "ready")
        yield from _engine(service.engine)
        yield from _tasks(service)
        yield from _decoders(service)
        yield from _memory(service)
        yield from _models(service.registry)
        yield from _pass_times(service.registry)
        yield InfoMetricFamily(
            "mirage_build",
            "Versions of the service, Python and PyTorch, and the device that runs the networks.",
            value={
                "version": project_version(),
                "python": platform.python_version(),
                "torch": torch.__version__,
                "device": str(service.registry.device),
            },
        )


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(name, text, value=value)


def _by(label: str, name: str, text: str, values: dict[str, int]) -> Metric:
    gauge = GaugeMetricFamily(name, text, labels=(label,))
    for key, value in values.items():
        gauge.add_metric((key,), value)
    return gauge


def _engine(engine: Engine) -> Iterator[Metric]:
    for name, value in asdict(engine.counters).items():
        yield CounterMetricFamily(f"mirage_engine_{name}", HELP[name], value=value)
    yield _gauge("mirage_engine_alive", "Requests and tasks that are waiting or running now.", engine.alive)
    yield _gauge(
        "mirage_engine_max_tasks",
        "Largest number of requests and tasks that may wait or run at once (MIRAGE_MAX_WAITING).",
        engine.admission.max_tasks,
    )
    yield _gauge(
        "mirage_engine_max_rows",
        "Largest number of pictures in one batch (MIRAGE_MAX_ROWS, or fewer where there is not memory for so many).",
        engine.max_rows,
    )
    yield _gauge(
        "mirage_engine_works", "1 if tasks are worked on; 0 while the engine hangs, or has failed.", engine.works
    )


def _tasks(service: Service) -> Iterator[Metric]:
    states = {
        "waiting_for_decoder": max(0, service.decoders.waiting - service.decoders.busy),
        "decoding": service.decoders.busy,
        "waiting_for_batch": service.engine.waiting,
        "computing": service.engine.computing,
    }
    yield _by(
        "state", "mirage_tasks", "Pieces of work that wait for a decoder process or a batch, or are in one.", states
    )


def _decoders(service: Service) -> Iterator[Metric]:
    decoders = service.decoders
    slow = decoders.slow
    states = {"idle": decoders.idle, "busy": max(0, decoders.busy - slow), "slow": slow}
    yield _by("state", "mirage_decoder_processes", "Decoder processes; slow: busy for more than a second.", states)
    ended = CounterMetricFamily(
        "mirage_decoder_ended",
        "Decoder processes that ended: one too many after a slow picture (surplus), no memory for the picture "
        "(refused), the deadline of the request (overdue), too much computing time (over_cpu_time), or a fault.",
        labels=("reason",),
    )
    for reason, number in decoders.ended.items():
        ended.add_metric((reason,), number)
    yield ended


def _memory(service: Service) -> Iterator[Metric]:
    memory = service.memory
    yield _gauge("mirage_memory_reserved_bytes", "Memory that requests have reserved.", memory.reserved)
    yield _gauge("mirage_memory_budget_bytes", "Memory that all requests together may reserve.", memory.most)
    yield _gauge("mirage_memory_limit_bytes", "Memory for the service as a whole (MIRAGE_MEMORY).", memory.total)


def _models(registry: Registry) -> Iterator[Metric]:
    states = {entry.name: entry.state for entry in registry.entries()}
    counts = Counter(states.values())
    yield _by(
        "state",
        "mirage_models",
        "Served models by state: loading, ready, unloaded to save memory, or failed.",
        {state: counts[state] for state in STATES},
    )
    yield _by(
        "model",
        "mirage_model_ready",
        "1 for each served model that is ready, else 0.",
        {name: int(state == "ready") for name, state in states.items()},
    )


def _pass_times(registry: Registry) -> Iterator[Metric]:
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
    for model in registry.ready():
        name, pass_times = model.name, model.classifier.pass_times
        for kind, times in (("forward", pass_times.forward), ("gradients", pass_times.gradients)):
            for rows, value in times.by_rows.items():
                seconds.add_metric((name, kind, str(rows)), value)
            if times.knee is not None:
                knee.add_metric((name, kind), times.knee)
    yield from (seconds, knee)


class KeyCollector(Collector):
    """Reads how many requests were refused because of their API keys when Prometheus scrapes."""

    def __init__(self, check: KeyCheck) -> None:
        self.check = check

    def collect(self) -> Iterator[Metric]:
        """One counter with the reason as its label; reasons that have not occurred are 0."""
        refused = CounterMetricFamily(
            "mirage_keys_refused",
            "Requests that were refused because of their API key: it was missing, wrong, wrong after too many others "
            "(too_many_wrong), of a role that does not allow the operation, or its quota was used up.",
            labels=("reason",),
        )
        for reason, number in self.check.refused.items():
            refused.add_metric((reason,), number)
        yield refused

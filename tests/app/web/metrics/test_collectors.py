"""Tests the metrics that are read from the parts of the service."""

from dataclasses import fields
from typing import get_args

from prometheus_client import CollectorRegistry

from app.decoding.process import EndReason
from app.engine.counters import Counters
from app.web.metrics.collectors import HELP, ServiceCollector
from models.version import project_version
from tests.app.live_service import Live


def test_every_counter_has_a_help_text() -> None:
    assert set(HELP) == {field.name for field in fields(Counters)}


def test_the_state_of_an_idle_service(live: Live) -> None:
    """One model is ready, nothing waits, all decoder processes are idle, and no memory is reserved."""
    registry, service = CollectorRegistry(), live.service
    registry.register(ServiceCollector(lambda: service))

    def value(name: str, **labels: str) -> float | None:
        return registry.get_sample_value(f"mirage_{name}", labels)

    assert value("ready") == value("engine_works") == value("model_ready", model="tiny") == 1
    assert [value("models", state=state) for state in ("loading", "ready", "failed")] == [0, 1, 0]
    states = ("waiting_for_decoder", "decoding", "waiting_for_batch", "computing")
    assert [value("tasks", state=state) for state in states] == [0, 0, 0, 0]
    assert value("engine_max_tasks") == service.settings.max_waiting
    assert value("memory_limit_bytes") == service.settings.memory
    assert value("memory_budget_bytes") == service.memory.most and value("memory_reserved_bytes") == 0
    assert all(value("decoder_ended_total", reason=reason) is not None for reason in get_args(EndReason))
    info = next(metric for metric in registry.collect() if metric.name == "mirage_build")
    assert info.samples[0].labels["version"] == project_version()


def test_memory_and_waiting_work_are_shown_while_they_last(live: Live) -> None:
    registry, service = CollectorRegistry(), live.service
    registry.register(ServiceCollector(lambda: service))
    with service.memory.reserve_now(12_345):
        assert registry.get_sample_value("mirage_memory_reserved_bytes") == 12_345
    assert registry.get_sample_value("mirage_memory_reserved_bytes") == 0

"""Tests the metrics of requests on records with known seconds."""

import pytest
from prometheus_client import CollectorRegistry

from app.telemetry.record import Record
from app.web.metrics.requests import RequestMetrics


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


def test_a_request_is_counted_with_its_seconds_and_phases(registry: CollectorRegistry) -> None:
    """3 s are above 2.5 and below 5; half a second of them was queued; it was not encoded at all."""
    record = Record()
    record.route, record.model, record.status = "/classify", "pets", 200
    record.add("queued", 0.5)
    RequestMetrics(registry).add(record, 3.0)
    value = registry.get_sample_value
    assert value("mirage_http_requests_total", {"route": "/classify", "model": "pets", "status": "200"}) == 1
    seconds = "mirage_http_request_duration_seconds"
    assert value(f"{seconds}_sum", {"route": "/classify"}) == 3
    assert value(f"{seconds}_bucket", {"route": "/classify", "le": "2.5"}) == 0
    assert value(f"{seconds}_bucket", {"route": "/classify", "le": "5.0"}) == 1
    phase = "mirage_http_request_phase_seconds_sum"
    assert value(phase, {"route": "/classify", "phase": "queued"}) == 0.5
    assert value(phase, {"route": "/classify", "phase": "encoded"}) is None
    assert value("mirage_cache_requests_total", {"result": "miss"}) == 0


def test_problems_cache_and_unknown_routes(registry: CollectorRegistry) -> None:
    metrics, record = RequestMetrics(registry), Record()
    record.problem, record.from_cache, record.status = "not-found", True, 404
    metrics.add(record, 0.1)
    assert registry.get_sample_value("mirage_http_problems_total", {"route": "other", "problem": "not-found"}) == 1
    assert registry.get_sample_value("mirage_cache_requests_total", {"result": "hit"}) == 1

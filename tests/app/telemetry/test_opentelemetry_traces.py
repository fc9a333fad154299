"""Tests the spans of requests, tasks and batches with OpenTelemetry's exporter in memory."""

import threading
from collections.abc import Iterator

import pytest

pytest.importorskip("opentelemetry.sdk.trace")

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from app.telemetry.opentelemetry_traces import OpenTelemetryTraces

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
"""The example in the W3C's recommendation."""


@pytest.fixture
def exporter() -> InMemorySpanExporter:
    return InMemorySpanExporter()


@pytest.fixture
def traces(exporter: InMemorySpanExporter) -> Iterator[OpenTelemetryTraces]:
    made = OpenTelemetryTraces(exporter)
    yield made
    made.close()


def spans(traces: OpenTelemetryTraces, exporter: InMemorySpanExporter) -> dict[str, ReadableSpan]:
    traces.flush()
    return {span.name: span for span in exporter.get_finished_spans()}


def test_a_request_continues_the_trace_of_its_client(
    traces: OpenTelemetryTraces, exporter: InMemorySpanExporter
) -> None:
    trace = traces.begin("POST", {"traceparent": f"00-{TRACE}-{PARENT}-01"})
    trace.end("POST /classify", 200, {"http.route": "/classify"})
    span = spans(traces, exporter)["POST /classify"]
    assert trace.trace_id == TRACE and f"{span.parent.span_id:016x}" == PARENT  # type: ignore[union-attr]
    assert span.kind is SpanKind.SERVER
    assert span.attributes == {
        "http.request.method": "POST", "http.route": "/classify", "http.response.status_code": 200
    }  # fmt: skip
    assert span.resource.attributes["service.name"] == "mirage"


@pytest.mark.parametrize("header", ["", "nonsense", "00-" + "0" * 32 + f"-{PARENT}-01", f"00-{TRACE}-{PARENT}-01" * 9])
def test_a_header_that_is_not_valid_begins_a_trace_of_its_own(
    traces: OpenTelemetryTraces, exporter: InMemorySpanExporter, header: str
) -> None:
    trace = traces.begin("GET", {"traceparent": header})
    trace.end("GET /models", 200, {})
    assert spans(traces, exporter)["GET /models"].parent is None and trace.trace_id != TRACE


def test_a_trace_that_its_client_does_not_sample_is_not_exported(
    traces: OpenTelemetryTraces, exporter: InMemorySpanExporter
) -> None:
    trace = traces.begin("GET", {"traceparent": f"00-{TRACE}-{PARENT}-00"})
    task = trace.begin_task("classify")
    traces.add_batch([task], {}, 1.0, 2.0)
    trace.end("GET /models", 200, {})
    assert not spans(traces, exporter)


def test_phases_lie_below_the_request_at_their_times(
    traces: OpenTelemetryTraces, exporter: InMemorySpanExporter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At 100 s on the one clock it is 1,000,000 s on the other; the phase began 2 s before, and took half a second."""
    monkeypatch.setattr("time.monotonic", lambda: 100.0)
    monkeypatch.setattr("time.time_ns", lambda: 1_000_000 * 10**9)
    trace = traces.begin("POST", {})
    trace.add_phase("decoded", 98.0, 98.5)
    trace.end("POST /classify", 200, {})
    made = spans(traces, exporter)
    assert (made["decode"].start_time, made["decode"].end_time) == (999_998 * 10**9, 999_998_500_000_000)
    assert made["decode"].parent == made["POST /classify"].context


def test_a_batch_and_its_tasks_link_to_each_other(traces: OpenTelemetryTraces, exporter: InMemorySpanExporter) -> None:
    """Two requests share a batch: its trace is neither's, and links to the tasks of both."""
    requests = [traces.begin("POST", {}) for _ in range(2)]
    tasks = [request.begin_task(f"task {number}") for number, request in enumerate(requests)]
    traces.add_batch(tasks, {"mirage.batch.rows": 2}, 1.0, 2.0)
    for task in tasks:
        task.end(None)
    traces.flush()
    finished = exporter.get_finished_spans()
    (batch,) = [span for span in finished if span.name == "batch"]
    task_spans = [span for span in finished if span.name == "task"]
    assert {link.context.span_id for link in batch.links} == {span.context.span_id for span in task_spans}  # type: ignore[union-attr]
    assert batch.parent is None and batch.attributes == {"mirage.batch.rows": 2}
    assert batch.end_time - batch.start_time == pytest.approx(10**9, rel=1e-3)  # type: ignore[operator]
    assert all([link.context for link in span.links] == [batch.context] for span in task_spans)
    assert {f"{span.context.trace_id:032x}" for span in task_spans} == {request.trace_id for request in requests}  # type: ignore[union-attr]


def test_an_error_is_named_by_its_type_alone(traces: OpenTelemetryTraces, exporter: InMemorySpanExporter) -> None:
    """Its message may repeat what a client sent."""
    trace = traces.begin("POST", {})
    trace.begin_task("adversarial").end(ValueError("secret"))
    trace.end("POST /adversarial", 500, {})
    made = spans(traces, exporter)
    assert made["task"].attributes == {"mirage.task.kind": "adversarial", "error.type": "ValueError"}
    assert {span.status.status_code for span in made.values()} == {StatusCode.ERROR}
    assert "secret" not in "".join(span.to_json() for span in made.values())


def test_a_collector_that_does_not_answer_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """The export hangs until the test is over."""
    over, exporter = threading.Event(), InMemorySpanExporter()

    def hang(spans: object) -> SpanExportResult:
        over.wait(60)
        return SpanExportResult.SUCCESS

    monkeypatch.setattr(exporter, "export", hang)
    traces = OpenTelemetryTraces(exporter)
    traces.begin("GET", {}).end("GET /models", 200, {})
    closing = threading.Thread(target=traces.close, args=[0.05])
    closing.start()
    closing.join(30)
    assert not closing.is_alive()
    over.set()

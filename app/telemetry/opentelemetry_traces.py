"""Traces of requests by OpenTelemetry. It is imported only where traces are switched on, and needs the extra `otel`."""

import threading
import time
from collections.abc import Mapping, Sequence

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, SERVICE_VERSION, OTELResourceDetector, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.trace import Link, Span, SpanKind, StatusCode, Tracer, set_span_in_context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from opentelemetry.util.types import AttributeValue

from app.telemetry.record import Phase, TaskSpan
from models.version import project_version

PHASES: dict[Phase, str] = {
    "received": "receive",
    "queued": "queue",
    "decoded": "decode",
    "computed": "compute",
    "encoded": "encode",
}
"""Names of the spans of a request's phases."""


CLOSE_S = 3.0
"""Seconds to wait for a collector at the end: OpenTelemetry itself tries a collector that is away for many more."""


class OpenTelemetryTask:
    """The span of one task of the engine."""

    def __init__(self, span: Span) -> None:
        self.span = span

    def end(self, error: BaseException | None) -> None:
        """End the span; an error is named by its type alone, since its message may repeat what a client sent."""
        if error is not None:
            self.span.set_status(StatusCode.ERROR)
            self.span.set_attribute("error.type", type(error).__name__)
        self.span.end()


class OpenTelemetryTrace:
    """The span of one request, and those below it."""

    def __init__(self, tracer: Tracer, span: Span) -> None:
        self.trace_id = f"{span.get_span_context().trace_id:032x}"
        self._tracer = tracer
        self._span = span
        self._context = set_span_in_context(span, Context())

    def add_phase(self, phase: Phase, begun: float, ended: float) -> None:
        """Add a span that began and ended at these times on the clock of time.monotonic()."""
        span = self._tracer.start_span(PHASES[phase], self._context, start_time=_nanoseconds(begun))
        span.end(_nanoseconds(ended))

    def begin_task(self, kind: str) -> OpenTelemetryTask:
        """Begin the span of a task; `kind` is the name of what it does."""
        return OpenTelemetryTask(self._tracer.start_span("task", self._context, attributes={"mirage.task.kind": kind}))

    def end(self, name: str, status: int, attributes: Mapping[str, AttributeValue]) -> None:
        """End the span of the request, whose name is now known; a status from 500 on is an error."""
        self._span.update_name(name)
        self._span.set_attributes({"http.response.status_code": status, **attributes})
        if status >= 500:
            self._span.set_status(StatusCode.ERROR)
        self._span.end()


class OpenTelemetryTraces:
    """Begins traces, and ends when all spans are exported or `close` has waited for long enough.

    OpenTelemetry's own variables (OTEL_...) set the sampling, the names of the service and the limits of spans.
    """

    def __init__(self, exporter: SpanExporter) -> None:
        ours = Resource({SERVICE_NAME: "mirage", SERVICE_VERSION: project_version()})
        self._provider = TracerProvider(
            shutdown_on_exit=False, resource=Resource.create().merge(ours).merge(OTELResourceDetector().detect())
        )
        self._provider.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer = self._provider.get_tracer("mirage", project_version())

    def begin(self, method: str, headers: Mapping[str, str]) -> OpenTelemetryTrace:
        """Begin the span of a request, which continues the trace that the header `traceparent` names (W3C)."""
        parent = TraceContextTextMapPropagator().extract(headers, Context())
        span = self._tracer.start_span(method, parent, kind=SpanKind.SERVER, attributes={"http.request.method": method})
        return OpenTelemetryTrace(self._tracer, span)

    def add_batch(
        self, spans: Sequence[TaskSpan], attributes: Mapping[str, AttributeValue], begun: float, ended: float
    ) -> None:
        """Add a trace of one batch, with links to the tasks that it answered, and from those to it.

        It belongs to several traces and so is below none of them. Where none of its tasks is sampled, it is left out.
        """
        tasks = [task.span for task in spans if isinstance(task, OpenTelemetryTask) and task.span.is_recording()]
        if not tasks:
            return
        links = [Link(task.get_span_context()) for task in tasks]
        span = self._tracer.start_span(
            "batch", Context(), attributes=attributes, links=links, start_time=_nanoseconds(begun)
        )
        for task in tasks:
            task.add_link(span.get_span_context())
        span.end(_nanoseconds(ended))

    def flush(self) -> None:
        """Export what has ended until now."""
        self._provider.force_flush()

    def close(self, timeout_s: float = CLOSE_S) -> None:
        """Export what is left, and stop; after `timeout_s` seconds the rest is given up."""
        closing = threading.Thread(target=self._provider.shutdown, name="traces-close", daemon=True)
        closing.start()
        closing.join(timeout_s)


def otlp_exporter() -> SpanExporter:
    """The exporter to the collector that OTEL_EXPORTER_OTLP_ENDPOINT names, by default the one on this machine."""
    return OTLPSpanExporter()


def _nanoseconds(at: float) -> int:
    """A time on the clock of time.monotonic() as nanoseconds since 1970."""
    return time.time_ns() - int((time.monotonic() - at) * 1e9)

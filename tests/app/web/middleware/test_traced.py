"""Tests the traces of a running service: from the client's header to the batch that it shared."""

import subprocess
import sys
from pathlib import Path

import pytest

from app.main import create_app
from app.settings import Settings
from models.pictures import encode
from tests.app.live_service import drawn, serve
from tests.integration.project import REPOSITORY

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
HEADERS = {"traceparent": f"00-{TRACE}-00f067aa0ba902b7-01"}


def test_a_classification_has_spans_from_request_to_batch(checkpoints: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("opentelemetry.sdk.trace")
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    exporter = InMemorySpanExporter()
    monkeypatch.setattr("app.telemetry.opentelemetry_traces.otlp_exporter", lambda: exporter)
    # The exporter in memory forgets its spans when the service ends and shuts it down.
    monkeypatch.setattr(exporter, "shutdown", lambda: None)
    with serve(checkpoints=checkpoints, traces="otlp") as running:
        running.client.post("/classify", files={"image": encode(drawn())}, headers=HEADERS)
        running.client.get("/nowhere")
        running.client.get("/health/live")
        running.client.get("/metrics")
    spans = {span.name: span for span in exporter.get_finished_spans()}
    request, task, batch = spans["POST /classify"], spans["task"], spans["batch"]
    below = {name for name, span in spans.items() if span.parent == request.context}
    assert below == {"receive", "decode", "task"}
    assert f"{request.context.trace_id:032x}" == TRACE
    assert [link.context for link in batch.links] == [task.context]
    assert batch.attributes == {"mirage.model": "tiny", "mirage.batch.kind": "forward", "mirage.batch.rows": 1}
    assert {"http.route": "/classify", "mirage.model": "tiny"}.items() <= dict(request.attributes).items()
    assert not any("health" in name or "metrics" in name for name in spans)
    assert dict(spans["GET"].attributes)["error.type"] == "not-found"


def test_without_traces_nothing_of_the_sdk_is_imported(checkpoints: Path) -> None:
    program = (
        "import sys; from app.main import create_app; from app.settings import Settings; "
        f"create_app(Settings(_env_file=None, checkpoints={str(checkpoints)!r})); "
        "sys.exit(any(name.startswith('opentelemetry.sdk') for name in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", program], cwd=REPOSITORY).returncode == 0


def test_a_missing_extra_is_named(checkpoints: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A None in sys.modules makes every import of the name fail."""
    import app.telemetry

    monkeypatch.setitem(sys.modules, "app.telemetry.opentelemetry_traces", None)
    monkeypatch.delattr(app.telemetry, "opentelemetry_traces", raising=False)
    with pytest.raises(RuntimeError, match="make extras EXTRAS=otel"):
        create_app(Settings(_env_file=None, checkpoints=checkpoints, traces="otlp"))

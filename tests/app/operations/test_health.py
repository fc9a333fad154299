"""The probes."""

import threading
from pathlib import Path

import pytest

from app.engine.registry import Registry
from models import store
from tests.app.live_service import Live, serve


def test_live_and_ready(live: Live) -> None:
    assert live.client.get("/health/live").json() == {"status": "live"}
    ready = live.client.get("/health/ready")
    assert (ready.status_code, ready.json()) == (200, {"status": "ready"})


def test_while_models_are_loaded(checkpoints: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The process is alive and says so; requests get 503 with Retry-After until the model is there."""
    go, load = threading.Event(), store.load

    def slowly(name: str, **options: object) -> store.Model:
        assert go.wait(30)
        return load(name, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(store, "load", slowly)
    monkeypatch.setattr(Registry, "wait", lambda self, timeout_s: True)
    with serve(checkpoints=checkpoints) as live:
        assert live.client.get("/health/live").status_code == 200
        assert live.client.get("/health/ready").json() == {"status": "loading"}
        early = live.client.get("/ideal/cat")
        assert (early.status_code, early.headers["Retry-After"]) == (503, "2")
        go.set()
        monkeypatch.undo()
        assert live.service.registry.wait(30)
        assert live.client.get("/health/ready").status_code == 200


def test_only_the_default_models_failure_is_one_of_the_service(checkpoints: Path) -> None:
    with serve(checkpoints=checkpoints, models=("lost", "tiny")) as live:
        ready = live.client.get("/health/ready")
        assert (ready.status_code, ready.json()) == (503, {"status": "failed"})

"""Tests the health probes."""

import threading
from pathlib import Path

import pytest

from app.engine.registry import Registry
from models import store
from tests.app.live_service import Live, serve


def test_a_loaded_service_is_live_and_ready(live: Live) -> None:
    assert live.client.get("/health/live").json() == {"status": "live"}
    ready = live.client.get("/health/ready")
    assert (ready.status_code, ready.json()) == (200, {"status": "ready"})


def test_a_loading_service_is_live_but_not_ready(checkpoints: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Until the model is loaded, requests get status 503 with Retry-After."""
    may_load, load = threading.Event(), store.load

    def load_when_allowed(name: str, **options: object) -> store.Model:
        assert may_load.wait(30)
        return load(name, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(store, "load", load_when_allowed)
    monkeypatch.setattr(Registry, "wait", lambda self, timeout_s: True)
    with serve(checkpoints=checkpoints) as live:
        assert live.client.get("/health/live").status_code == 200
        assert live.client.get("/health/ready").json() == {"status": "loading"}
        response = live.client.get("/ideal/cat")
        assert (response.status_code, response.headers["Retry-After"]) == (503, "2")
        may_load.set()
        monkeypatch.undo()
        assert live.service.registry.wait(30)
        assert live.client.get("/health/ready").status_code == 200


def test_without_its_default_model_the_service_is_not_ready(checkpoints: Path) -> None:
    with serve(checkpoints=checkpoints, models=("lost", "tiny")) as live:
        ready = live.client.get("/health/ready")
        assert (ready.status_code, ready.json()) == (503, {"status": "failed"})


def test_a_service_that_is_about_to_stop_is_live_but_not_ready(checkpoints: Path) -> None:
    with serve(checkpoints=checkpoints) as live:
        live.service.stopping.is_draining = True
        ready = live.client.get("/health/ready")
        assert (ready.status_code, ready.json()) == (503, {"status": "draining"})
        assert live.client.get("/health/live").status_code == 200

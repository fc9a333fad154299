"""The service of a run: it serves its own small model, and an end before it is ready is explained."""

from pathlib import Path

import httpx
import pytest

from soak.service import NotStarted, running_service
from soak.tiny_model import NAME


def test_the_service_has_the_small_model_and_the_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings of the surroundings do not count. After the block nobody listens any more."""
    monkeypatch.setenv("MIRAGE_API_KEYS", "of-the-surroundings")
    with running_service(tmp_path, api_keys="right-key-of-the-run") as service:
        url = service.url
        assert httpx.get(f"{url}/models", timeout=60).status_code == 401
        models = httpx.get(f"{url}/models", headers={"X-API-Key": "right-key-of-the-run"}, timeout=60).json()
    assert [model["name"] for model in models["models"]] == [NAME]
    with pytest.raises(httpx.TransportError):
        httpx.get(f"{url}/models", timeout=60)


def test_a_service_that_cannot_start_shows_the_end_of_its_log(tmp_path: Path) -> None:
    with (
        pytest.raises(NotStarted, match="MIRAGE_DEADLINE_S"),
        running_service(tmp_path, write_models=lambda folder: None, deadline_s=-1),
    ):
        pass

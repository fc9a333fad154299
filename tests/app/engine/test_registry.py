"""Tests the registry of served models."""

from pathlib import Path

import pytest
import torch

from app.engine.catalogue import LoadingFailed, NotServed
from app.engine.registry import Registry
from tests.app.live_service import serve


def test_the_error_of_an_empty_folder_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(NotServed, match="train one"), serve(checkpoints=tmp_path):
        pass


def test_by_default_every_checkpoint_is_served(checkpoints: Path) -> None:
    registry = Registry((), folder=checkpoints, device=torch.device("cpu"))
    assert (registry.names, registry.state("tiny")) == (("tiny",), "loading")
    registry.load_all()
    assert registry.get() is registry.get("tiny")
    with pytest.raises(NotServed, match="similar names: tiny"):
        registry.get("tini")


def test_a_failure_to_load_is_reported_with_its_reason(checkpoints: Path, caplog: pytest.LogCaptureFixture) -> None:
    registry = Registry(("lost",), folder=checkpoints, device=torch.device("cpu"))
    registry.load_all()
    with pytest.raises(LoadingFailed, match="no checkpoint 'lost'"):
        registry.get()
    assert "cannot serve lost" in caplog.text and "Traceback" not in caplog.text

"""The models that are served."""

from pathlib import Path

import pytest
import torch

from app.engine.registry import LoadingFailed, NotServed, Registry
from tests.app.live_service import serve


def test_an_empty_folder_is_refused_with_advice(tmp_path: Path) -> None:
    with pytest.raises(NotServed, match="train one"), serve(checkpoints=tmp_path):
        pass


def test_every_checkpoint_is_served_without_a_choice(checkpoints: Path) -> None:
    registry = Registry((), folder=checkpoints, device=torch.device("cpu"))
    assert (registry.names, registry.state("tiny")) == (("tiny",), "loading")
    registry.load_all()
    assert registry.get() is registry.get("tiny")
    with pytest.raises(NotServed, match="similar names: tiny"):
        registry.get("tini")


def test_a_failure_is_kept_with_its_reason(checkpoints: Path, caplog: pytest.LogCaptureFixture) -> None:
    registry = Registry(("lost",), folder=checkpoints, device=torch.device("cpu"))
    registry.load_all()
    with pytest.raises(LoadingFailed, match="no checkpoint 'lost'"):
        registry.get()
    assert "cannot serve lost" in caplog.text and "Traceback" not in caplog.text

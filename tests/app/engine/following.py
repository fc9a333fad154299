"""A registry that follows a folder of checkpoints with known answers, one look after the other."""

from pathlib import Path

import pytest
import torch

from app.engine.registry import Registry
from models.store import Model
from tests.app.engine.constant_models import probability_of_cat, save_constant

CPU = torch.device("cpu")
PICTURE = torch.full((1, 3, 32, 32), 0.5)


def cat(model: Model) -> float:
    """The probability of the class cat, which says which checkpoint the model is from."""
    return model.classifier.probabilities(PICTURE)[0, 0].item()


def is_version(model: Model, logit: float) -> bool:
    return cat(model) == pytest.approx(probability_of_cat(logit), abs=1e-6)


def started(folder: Path, *names: str) -> Registry:
    """A registry whose models are loaded; the tests look at the folder themselves."""
    registry = Registry(names, folder=folder, device=CPU, reload_s=1e-9)
    registry.load_all()
    return registry


def settle(registry: Registry) -> None:
    """Two looks: the first one sees a change, and the second that it is complete."""
    registry.scan()
    registry.scan()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with the checkpoints a (logit 1) and b (logit 2)."""
    save_constant(tmp_path / "a.safetensors", 1.0)
    save_constant(tmp_path / "b.safetensors", 2.0)
    return tmp_path

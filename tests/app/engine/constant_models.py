"""Checkpoints whose answers are known: networks that give every picture the same logits."""

from pathlib import Path

import torch

from models import architectures, checkpoint
from models.architectures import set_head
from models.spec import Spec

CLASSES = ("cat", "dog")
SPEC = Spec("squeezenet1_1", CLASSES, input_size=32, resize=32)


def save_constant(path: Path, logit: float, **spec: object) -> None:
    """Write a checkpoint, atomically, that gives the class cat this logit, a multiple of 1/8, and the other class 0."""
    kind = Spec(**{"architecture": SPEC.architecture, "classes": CLASSES, "input_size": 32, "resize": 32, **spec})
    network = architectures.build(kind.architecture, len(kind.classes))
    weight = architectures.head(network).weight
    set_head(network, torch.zeros_like(weight).flatten(1), torch.tensor([logit, *[0.0] * (len(kind.classes) - 1)]))
    checkpoint.save(path, network, kind, {})


def probability_of_cat(logit: float) -> float:
    """What a model of `save_constant` with two classes answers: the logistic function."""
    return torch.sigmoid(torch.tensor(logit)).item()

"""A model that was trained elsewhere, as its file and its library describe it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from PIL import Image
from torch import Tensor, nn

from models.spec import Spec

Preprocessing = Callable[[Image.Image], Tensor]
"""From an RGB picture to the input [1, c, h, w] of the network, normalised."""

IMAGENETS = "torchvision's networks for ImageNet"
"""Whose preprocessing a network gets of which nothing is known."""


class BadSource(ValueError):
    """A source that is no model, or one that cannot be imported as it is asked for."""


@dataclass(frozen=True)
class SourceModel:
    """A network in eval mode with its weights, and how its source says that it is used.

    `source` is JSON for the provenance: kind, name, digest, licence, versions. `preprocessing` is the source library's
    own, with which that of the spec is compared; None where there is none. `warnings` are full sentences;
    those about weights of the file that are not used are in `left_out`, too. `assumed` says whose preprocessing that
    of the spec is where the source says nothing about it; empty where it does.
    """

    network: nn.Module
    spec: Spec
    source: Mapping[str, Any]
    preprocessing: Preprocessing | None = None
    warnings: tuple[str, ...] = field(default=())
    assumed: str = ""
    left_out: tuple[str, ...] = ()

"""Small programs in JSON whose logits are known in closed form."""

from typing import Any

import torch
from torch import Tensor

Document = dict[str, Any]
SIDE = 4
"""Height and width of the pixels of these programs, which have three channels."""


def value(name: str) -> dict[str, str]:
    """Return the JSON of a reference."""
    return {"value": name}


def _argument(argument: object) -> object:
    if isinstance(argument, list):
        return [_argument(element) for element in argument]
    return value(argument) if isinstance(argument, str) else argument


def node(operator: str, *arguments: object, to: str | list[str | None], **fields: object) -> Document:
    """Return the JSON of a call. Text is the name of a value; a tuple of one argument is this argument as it is."""
    encoded = [each[0] if isinstance(each, tuple) else _argument(each) for each in arguments]
    results = [to] if isinstance(to, str) else to
    return {"operator": operator, "arguments": encoded, "keywords": {}, "results": results, **fields}


def weight(path: str, *shape: int, kind: str = "parameter", dtype: str = "float32") -> Document:
    """Return the JSON of a weight, whose name as a value is its path with underscores."""
    return {"name": path.replace(".", "_"), "path": path, "kind": kind, "shape": list(shape), "dtype": dtype}


def document(nodes: list[Document], weights: list[Document], *, rows: int | None = None, **fields: object) -> Document:
    """Return a program that returns `logits`."""
    pixels = {"name": "pixels", "shape": [rows, 3, SIDE, SIDE]}
    return {"pixels": pixels, "weights": weights, "nodes": nodes, "output": "logits", "version": 1, **fields}


def colours(*between: Document, rows: int | None = None) -> Document:
    """Return a program whose logits are `head.weight` [2, 3] times the mean of each colour.

    The means are the layer "body.pool" of the class Pool, and the logits the layer "head" of the class Linear. Further
    calls come between these, from the value `means` to the value `features`.
    """
    middle = list(between) or [node("aten.alias.default", "means", to="features")]
    nodes = [
        node("aten.mean.dim", "pixels", [2, 3], to="means"),
        *middle,
        node("aten.linear.default", "features", "head_weight", to="logits"),
    ]
    layers = [
        {"path": "body.pool", "kind": "Pool", "value": "means", "end": 0},
        {"path": "head", "kind": "Linear", "value": "logits", "end": len(nodes) - 1},
    ]
    return document(nodes, [weight("head.weight", 2, 3)], rows=rows, layers=layers)


HEAD = torch.tensor([[1.0, 2.0, 3.0], [-1.0, 0.0, 1.0]])
"""A weight for the head of `colours`."""


def pictures(*reds: float) -> Tensor:
    """Return pictures whose means are (red, 0.5, 1), so that the logits of HEAD are red + 4 and 1 - red."""
    rows = [torch.tensor([red, 0.5, 1.0]).reshape(3, 1, 1).expand(3, SIDE, SIDE) for red in reds]
    return torch.stack(rows) if rows else torch.zeros(0, 3, SIDE, SIDE)

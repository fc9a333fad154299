"""Tests the JSON format of programs: what is written is read again, and whatever is inconsistent is refused."""

import json
import math
from typing import Any

import pytest
import torch

from models.program.graph import BadProgram, PixelsDevice, Reference, parse, to_json
from tests.models.program.documents import colours, node, weight


def test_what_is_written_is_read_again() -> None:
    document = colours()
    graph = parse(document)
    assert parse(json.loads(json.dumps(to_json(graph), allow_nan=False))) == graph
    assert graph.pixels.shape == (None, 3, 4, 4) and graph.output == "logits" and len(graph.nodes) == 3
    assert [(layer.path, layer.kind) for layer in graph.layers] == [("body.pool", "Pool"), ("head", "Linear")]


@pytest.mark.parametrize(
    ("encoded", "argument"),
    [
        (None, None),
        (True, True),
        (2**63 - 1, 2**63 - 1),
        (0.1, 0.1),
        ({"float": "-inf"}, -math.inf),
        (["text", [1, 2.0]], ("text", (1, 2.0))),
        ({"value": "pixels"}, Reference("pixels")),
        ({"dtype": "bfloat16"}, torch.bfloat16),
        ({"layout": "strided"}, torch.strided),
        ({"memory_format": "channels_last"}, torch.channels_last),
        ({"device": "pixels"}, PixelsDevice()),
    ],
)
def test_each_kind_of_argument(encoded: object, argument: object) -> None:
    """Each has one JSON value, also those that JSON itself has no value for; 1 and 1.0 and True stay apart."""
    graph = parse(colours(node("aten.alias.default", "means", (encoded,), to="features")))
    decoded = graph.nodes[1].arguments[1]
    assert decoded == argument and type(decoded) is type(argument)
    assert to_json(graph)["nodes"][1]["arguments"][1] == encoded


def test_nan_is_an_argument() -> None:
    graph = parse(colours(node("aten.alias.default", "means", ({"float": "nan"},), to="features")))
    assert math.isnan(float(str(graph.nodes[1].arguments[1])))
    assert to_json(graph)["nodes"][1]["arguments"][1] == {"float": "nan"}


@pytest.mark.parametrize(
    "argument",
    [
        2**63,
        math.inf,
        "x" * 201,
        "a\x00b",
        [[[[1]]]],
        [0] * 100_001,
        {},
        {"value": "pixels", "dtype": "float32"},
        {"value": 3},
        {"dtype": "float128"},
        {"device": "cuda:0"},
        {"code": "print()"},
        {"layout": ["strided"]},
    ],
)
def test_other_arguments_are_refused(argument: object) -> None:
    with pytest.raises(BadProgram, match=r"nodes\.1\.arguments\.1"):
        parse(colours(node("aten.alias.default", "means", (argument,), to="features")))


@pytest.mark.parametrize(
    ("path", "content"),
    [
        ("version", 2),
        ("version", True),
        ("code", "print()"),
        ("nodes", 3),
        ("nodes.0.operator", "__import__('os').system"),
        ("nodes.0.operator", "aten.mean.dim\n"),
        ("nodes.0.hook", 1),
        ("nodes.0.no_grad", 1),
        ("nodes.0.results", ["pixels"]),
        ("nodes.0.results", ["two words"]),
        ("nodes.1.arguments", [{"value": "features"}]),
        ("nodes.1.keywords", {"x": {"value": "logits"}}),
        ("nodes.1.keywords", {"x=1, y": 1}),
        ("output", "missing"),
        ("pixels.shape", [None, 3, 4]),
        ("pixels.shape", [None, 3, None, 4]),
        ("pixels.shape", [0, 3, 4, 4]),
        ("pixels.shape", [True, 3, 4, 4]),
        ("pixels.shape", [None, 3, 4, 2**40]),
        ("weights.0.name", "pixels"),
        ("weights.0.kind", "pickle"),
        ("weights.0.dtype", "object"),
        ("weights.0.shape", [2, -3]),
        ("weights.0.shape", [1] * 9),
        ("weights.0.shape", [2**33, 2**33]),
        ("weights.0.shape", [0, 2**33, 2**33]),
        ("weights.0.path", "head..weight"),
        ("weights.0.path", "head.weight.x" * 100),
        ("weights.0.path", 'head.w"); import os; ("'),
        ("weights", [weight("head.weight", 2, 3), {**weight("head.weight", 2, 3), "name": "other"}]),
        ("weights", [weight("head.weight", 2, 3), weight("head.weight.part", 1)]),
        ("layers.0.path", "head.weight"),
        ("layers.0.path", "head.weight.inside"),
        ("layers.0.path", "head"),
        ("layers.0.kind", "Conv2d()"),
        ("layers.0.value", "features"),
        ("layers.0.value", "pixels"),
        ("layers.0.end", 3),
        ("layers.0.end", -1),
        ("layers.1.end", 0),
    ],
)
def test_whatever_is_inconsistent_is_refused(path: str, content: object) -> None:
    """A program with other content at a path; the message says what to do, and no other error is raised."""
    document = colours()
    *keys, last = [int(part) if part.isdigit() else part for part in path.split(".")]
    place: Any = document
    for key in keys:
        place = place[key]
    place[last] = content
    with pytest.raises(BadProgram, match=r"import the network again|too large to be loaded"):
        parse(document)


def test_the_layers_are_in_the_order_in_which_they_end() -> None:
    document = colours()
    document["layers"].reverse()
    with pytest.raises(BadProgram, match="order in which they end"):
        parse(document)


def test_a_huge_number_of_nodes_is_refused() -> None:
    calls = [node("aten.alias.default", "means", to=f"copy_{number}") for number in range(100_001)]
    with pytest.raises(BadProgram, match="nodes"):
        parse(colours(*calls))

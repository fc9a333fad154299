"""A network as data: which operators are applied to what, and the names of its weights.

It has a JSON format of its own, which checkpoints keep. PyTorch's format (torch.export.save) changes between versions.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

import torch
from pydantic import BeforeValidator, Field, PlainSerializer, Strict, StringConstraints, TypeAdapter, ValidationError

VERSION = 1
"""Version of the JSON format."""
MOST = 100_000
"""Largest number of nodes, of weights, of layers, and of elements of a list."""
DEEPEST = 3
"""Deepest nesting of lists in an argument; operators take lists of lists at most."""
LARGEST = 2**33
"""Largest number of elements of all weights together."""
TAGGED: dict[str, dict[str, object]] = {
    "dtype": {
        str(dtype).removeprefix("torch."): dtype
        for dtype in (
            *(torch.bool, torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64),
            *(torch.float16, torch.bfloat16, torch.float32, torch.float64, torch.complex64, torch.complex128),
        )
    },
    "layout": {"strided": torch.strided},
    "memory_format": {
        str(order).removeprefix("torch."): order
        for order in (torch.contiguous_format, torch.preserve_format, torch.channels_last, torch.channels_last_3d)
    },
    "float": {"inf": math.inf, "-inf": -math.inf, "nan": math.nan},
}
"""Arguments that JSON has no value for, by the key and the value that stand for them."""


class BadProgram(ValueError):
    """A program that is damaged, does more than computing logits from pixels, or does what cannot be supported."""


@dataclass(frozen=True)
class Reference:
    """The value with this name: the pixels, a weight, or a result of an earlier node."""

    name: str


@dataclass(frozen=True)
class PixelsDevice:
    """The device that the pixels are on, wherever a network names a device."""


def _decode(value: object, depth: int = 0) -> object:
    """The argument that a JSON value stands for; raises ValueError."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int) and -(2**63) <= value < 2**63:
        return value
    if isinstance(value, float) and math.isfinite(value):
        return value
    if isinstance(value, str) and len(value) <= 200 and value.isprintable():
        return value
    if isinstance(value, list | tuple) and len(value) <= MOST and depth < DEEPEST:
        return tuple(_decode(element, depth + 1) for element in value)
    if isinstance(value, Mapping) and len(value) == 1:
        ((tag, content),) = value.items()
        if tag == "value" and isinstance(content, str):
            return Reference(content)
        if tag == "device" and content == "pixels":
            return PixelsDevice()
        if isinstance(content, str) and content in TAGGED.get(tag, {}):
            return TAGGED[tag][content]
    raise ValueError(f"{str(value)[:100]} is no argument of an operator")


def _encode(value: object) -> object:
    """The JSON value that stands for an argument."""
    if isinstance(value, tuple):
        return [_encode(element) for element in value]
    if isinstance(value, Reference):
        return {"value": value.name}
    if isinstance(value, PixelsDevice):
        return {"device": "pixels"}
    if isinstance(value, float) and not math.isfinite(value):
        return {"float": str(value)}
    for tag in ("dtype", "layout", "memory_format"):
        for name, content in TAGGED[tag].items():
            if value is content:
                return {tag: name}
    return value


# Names of weights and layers become names in the code that torch.fx writes, so no character may end a string there.
_PART = r"[A-Za-z0-9_-]+"
Name = Annotated[str, Strict(), StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$", max_length=200)]
Path = Annotated[str, Strict(), StringConstraints(pattern=rf"^{_PART}(\.{_PART}){{0,50}}$", max_length=500)]
OperatorName = Annotated[str, Strict(), StringConstraints(pattern=r"^[a-z_]+(\.[A-Za-z0-9_]+){1,3}$", max_length=200)]
Side = Annotated[int, Strict(), Field(ge=1, le=65_536)]
Size = Annotated[int, Strict(), Field(ge=0, le=LARGEST)]
Index = Annotated[int, Strict(), Field(ge=0, lt=MOST)]
Argument = Annotated[object, BeforeValidator(_decode), PlainSerializer(_encode)]


@dataclass(frozen=True)
class Pixels:
    """The input: its name, and its shape [n, c, h, w], where n is None if it takes any number of rows."""

    __pydantic_config__: ClassVar = {"extra": "forbid"}

    name: Name
    shape: tuple[Side | None, Side, Side, Side]


@dataclass(frozen=True)
class Weight:
    """A parameter, buffer or constant: its name as a value, its path in the original network, its shape and dtype."""

    __pydantic_config__: ClassVar = {"extra": "forbid"}

    name: Name
    path: Path
    kind: Literal["parameter", "buffer"]
    shape: Annotated[tuple[Size, ...], Field(max_length=8)]
    dtype: Annotated[str, Strict()]

    @property
    def elements(self) -> int:
        """The number of elements; a size of 0 counts as 1, beside which others may not be huge either."""
        return math.prod(max(size, 1) for size in self.shape)

    @property
    def torch_dtype(self) -> torch.dtype:
        """The dtype itself."""
        dtype = TAGGED["dtype"][self.dtype]
        assert isinstance(dtype, torch.dtype)
        return dtype


@dataclass(frozen=True)
class Node:
    """One call of an operator, and the names of its results; None is a result that does not exist.

    With `no_grad` no gradient flows through the call, as in `with torch.no_grad()`.
    """

    __pydantic_config__: ClassVar = {"extra": "forbid"}

    operator: OperatorName
    arguments: Annotated[tuple[Argument, ...], Field(max_length=100)]
    keywords: Annotated[dict[Name, Argument], Field(max_length=100)]
    results: Annotated[tuple[Name | None, ...], Field(max_length=MOST)]
    no_grad: Annotated[bool, Strict()] = False

    def references(self) -> list[str]:
        """The names of the values that the call reads."""
        names: list[str] = []
        pending: list[object] = [*self.arguments, *self.keywords.values()]
        for value in pending:
            if isinstance(value, Reference):
                names.append(value.name)
            elif isinstance(value, tuple):
                pending.extend(value)
        return names


@dataclass(frozen=True)
class Layer:
    """A module of the original network: its path, the name of its class, and the value that it returned.

    It returned after the node with the index `end`.
    """

    __pydantic_config__: ClassVar = {"extra": "forbid"}

    path: Path
    kind: Name
    value: Name
    end: Index


@dataclass(frozen=True)
class Graph:
    """A network: its nodes are called in their order, and the value named `output` is the logits [n, k]."""

    __pydantic_config__: ClassVar = {"extra": "forbid"}

    pixels: Pixels
    weights: Annotated[tuple[Weight, ...], Field(max_length=MOST)]
    nodes: Annotated[tuple[Node, ...], Field(max_length=MOST)]
    output: Name
    layers: Annotated[tuple[Layer, ...], Field(max_length=MOST)] = ()
    version: Annotated[int, Strict(), Field(ge=VERSION, le=VERSION)] = VERSION


_GRAPH: TypeAdapter[Graph] = TypeAdapter(Graph)


def parse(document: Mapping[str, Any]) -> Graph:
    """The graph that a JSON document describes; raises BadProgram unless all of it is well-formed and consistent.

    Whether its operators may be called is another question (`models.program.checks.check`).
    """
    try:
        graph = _GRAPH.validate_python(document)
    except (ValidationError, RecursionError) as error:
        fault = error.errors()[0] if isinstance(error, ValidationError) else {"loc": (), "msg": "it is nested too deep"}
        place = ".".join(map(str, fault["loc"])) or "document"
        raise BadProgram(f"the program is damaged ({place}: {fault['msg']}): import the network again") from error
    _check_weights(graph)
    _check_values(graph)
    return graph


def to_json(graph: Graph) -> dict[str, Any]:
    """The document from which `parse` makes the same graph: plain JSON values without infinities."""
    document: dict[str, Any] = _GRAPH.dump_python(graph, mode="json")
    return document


def _refuse(fault: str) -> BadProgram:
    return BadProgram(f"the program is damaged ({fault}): import the network again")


def _check_weights(graph: Graph) -> None:
    """Raise BadProgram unless the weights are of known dtypes, fit together into memory and have paths of their own."""
    for weight in graph.weights:
        if weight.dtype not in TAGGED["dtype"]:
            raise _refuse(f"{weight.path} is of the unknown type {weight.dtype[:50]!r}")
    if sum(weight.elements for weight in graph.weights) > LARGEST:
        raise BadProgram(f"the program has more than {LARGEST:,} weights: this is too large to be loaded")
    paths = {weight.path for weight in graph.weights}
    modules = _ancestors(paths) | {path for layer in graph.layers for path in (layer.path, *_ancestors({layer.path}))}
    if len(paths) < len(graph.weights) or paths & modules:
        twice = min(paths & modules, default="a path")
        raise _refuse(f"{twice} is the path of two things")
    if len({layer.path for layer in graph.layers}) < len(graph.layers):
        raise _refuse("two layers have the same path")


def _ancestors(paths: set[str]) -> set[str]:
    parts = [path.split(".") for path in paths]
    return {".".join(names[:count]) for names in parts for count in range(1, len(names))}


def _check_values(graph: Graph) -> None:
    """Raise BadProgram unless every value has one name, and is there before it is read."""
    defined: dict[str, int] = {}

    def define(name: str, position: int) -> None:
        if name in defined:
            raise _refuse(f"two values are called {name}")
        defined[name] = position

    for name in (graph.pixels.name, *(weight.name for weight in graph.weights)):
        define(name, -1)
    _each_node(graph, defined, define)
    if graph.output not in defined:
        raise _refuse(f"its output {graph.output} is not computed")
    ends = [layer.end for layer in graph.layers]
    if ends != sorted(ends):
        raise _refuse("its layers are not in the order in which they end")
    for layer in graph.layers:
        if not 0 <= defined.get(layer.value, -1) <= layer.end < len(graph.nodes):
            raise _refuse(f"the layer {layer.path} ends before its output is computed")


def _each_node(graph: Graph, defined: Mapping[str, int], define: Callable[[str, int], None]) -> None:
    for position, node in enumerate(graph.nodes):
        for name in node.references():
            if name not in defined:
                raise _refuse(f"node {position} reads {name[:100]!r}, which is not computed before it")
        for result in node.results:
            if result is not None:
                define(result, position)

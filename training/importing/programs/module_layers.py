"""Finds the modules of the original network in an exported program, by what PyTorch notes beside each call."""

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from models.program.graph import Node

PATH = r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*"
"""The paths that layers may have in a graph."""
DEEPEST = 50
"""Largest number of modules inside each other that are looked at."""
EMPTY = "_empty_nn_module_stack_from_metadata_hook"
"""What PyTorch notes beside calls that it adds itself."""


Readers = defaultdict[str, list[int]]
"""The positions of the nodes that read each value; the output of the graph is read after all nodes."""


@dataclass
class _Module:
    """A module: the name of its class, the keys of its calls, and the positions of the nodes in it."""

    kind: str
    calls: set[str] = field(default_factory=set)
    nodes: list[int] = field(default_factory=list)


def module_layers(nodes: Sequence[Node], stacks: Sequence[str], output: str, tensors: set[str]) -> list[dict[str, Any]]:
    """The layers of a graph in JSON, in the order in which they end: inner layers come before those around them.

    A module is a layer if it is called once and returns one tensor that it computes: the one that is read outside.
    """
    modules: dict[str, _Module] = {}
    for position, stack in enumerate(stacks):
        for key, path, kind in _entries(stack):
            module = modules.setdefault(path, _Module(kind))
            module.calls.add(key)
            module.nodes.append(position)
    readers: Readers = defaultdict(list)
    for position, node in enumerate(nodes):
        for name in node.references():
            readers[name].append(position)
    readers[output].append(len(nodes))
    layers = []
    for path, module in modules.items():
        value = _returned(module, nodes, readers, tensors)
        if value is not None:
            layers.append({"path": path, "kind": module.kind, "value": value, "end": module.nodes[-1]})
    return sorted(layers, key=lambda layer: (layer["end"], -layer["path"].count(".")))


def _entries(stack: str) -> Iterator[tuple[str, str, str]]:
    """Key of the call, path and class of each module in PyTorch's text, such as "L__self__relu@1,relu,torch...ReLU"."""
    for entry in stack.split(";")[:DEEPEST]:
        key, _, rest = entry.partition(",")
        path, _, kind = rest.partition(",")
        name = kind.rpartition(".")[2]
        if path != EMPTY and re.fullmatch(PATH, path) and re.fullmatch(r"[A-Za-z_]\w*", name, re.ASCII):
            yield key, path, name


def _returned(module: _Module, nodes: Sequence[Node], readers: Readers, tensors: set[str]) -> str | None:
    """The tensor that a module returns, or None if it is called more than once or does not return one tensor."""
    if len(module.calls) > 1:
        return None
    inside = set(module.nodes)
    outside = {
        name: [reader for reader in readers[name] if reader not in inside]
        for position in module.nodes
        for name in nodes[position].results
        if name is not None and name in tensors
    }
    returned = [name for name, positions in outside.items() if positions]
    if len(returned) != 1 or min(outside[returned[0]]) < module.nodes[-1]:
        return None
    return returned[0]

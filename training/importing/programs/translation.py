"""Translates the calls of an exported program to those of `models.program.graph`."""

from collections import Counter
from typing import Any

from models.program.graph import BadProgram
from models.program.operators import operator
from training.importing.programs.serialized import Argument, Graph, Node, SymArgument

DTYPES = {
    **{1: "uint8", 2: "int8", 3: "int16", 4: "int32", 5: "int64", 6: "float16", 7: "float32", 8: "float64"},
    **{10: "complex64", 11: "complex128", 12: "bool", 13: "bfloat16"},
}
"""Types of tensors by PyTorch's numbers in these files."""
STRIDED = 7
"""PyTorch's number of the layout of ordinary tensors."""
MEMORY_FORMATS = {1: "contiguous_format", 2: "channels_last", 3: "channels_last_3d", 4: "preserve_format"}
"""Memory formats by PyTorch's numbers."""
NOT_FINITE = {"Infinity": "inf", "-Infinity": "-inf", "NaN": "nan"}
"""Numbers that JSON has no value for, as these files have them and as ours do."""
ASSERTIONS = ("_assert_async", "_assert_scalar", "_assert_tensor_metadata", "sym_constrain_range")
"""Beginnings of the names of operators that only check what the exporter assumed; some would refuse another device."""
SET_GRADIENTS = "torch.ops.higher_order.wrap_with_set_grad_enabled"
"""The operator that calls a graph as in `with torch.no_grad()`."""

Scope = dict[str, object]
"""The JSON argument that each name stands for, in one graph of PyTorch's; graphs inside it have names of their own."""


class Translation:
    """The calls of a graph in JSON, in their order; those of graphs inside it are in the place of their call.

    `stacks` has for each node the modules that it is in, as PyTorch's text. `tensors` are the results that are tensors.
    """

    def __init__(self, graph: Graph, inputs: list[str]) -> None:
        self.nodes: list[dict[str, Any]] = []
        self.stacks: list[str] = []
        self.tensors: set[str] = set()
        self._names = Counter(inputs)
        self._scope: Scope = {name: {"value": name} for name in inputs}
        self._add_all(graph, self._scope, no_grad=False)

    def value(self, name: str) -> str:
        """The name, in our JSON, of what the graph calls so; raises BadProgram."""
        reference = _lookup(name, self._scope)
        if not isinstance(reference, dict) or "value" not in reference:
            raise BadProgram(f"the program's {name[:100]} is a constant: it is no network")
        return str(reference["value"])

    def _add_all(self, graph: Graph, scope: Scope, *, no_grad: bool) -> None:
        for node in graph.nodes:
            target = node.target.removeprefix("torch.ops.")
            if target.startswith(tuple(f"aten.{name}" for name in ASSERTIONS)):
                continue
            if node.target == SET_GRADIENTS:
                self._add_inner(node, scope)
            else:
                self._add(node, target, scope, no_grad=no_grad)

    def _add(self, node: Node, target: str, scope: Scope, *, no_grad: bool) -> None:
        name = target.replace("_operator.", "operator.", 1) if target.startswith("_operator.") else target
        operator(name)  # before its arguments are looked at, which may be of kinds of their own
        inputs = [each for each in node.inputs if each.name != "pin_memory"]
        call = {
            "operator": name,
            "arguments": [_argument(each.arg, scope) for each in inputs if each.kind == 1],
            "keywords": {each.name: _argument(each.arg, scope) for each in inputs if each.kind != 1},
            "results": [self._define(kind, name, scope) for kind, name in _results(node)],
        }
        self.nodes.append(call | {"no_grad": no_grad})
        self.stacks.append(node.metadata.get("nn_module_stack", ""))

    def _define(self, kind: str, name: str | None, scope: Scope) -> str | None:
        """A name of its own for a result of this kind; graphs inside others may use the same names."""
        if name is None:
            return None
        if name in scope:
            raise BadProgram(f"the program has two values called {name[:100]}: save it again")
        unique = name
        while unique in self._names:
            unique = f"{name}_{self._names[name]}"
            self._names[name] += 1
        self._names[unique] += 1
        scope[name] = {"value": unique}
        if kind == "tensor":
            self.tensors.add(unique)
        return unique

    def _add_inner(self, node: Node, scope: Scope) -> None:
        """Add the calls of the graph that a node calls with or without gradients."""
        contents = [each.arg.content() for each in node.inputs]
        if [kind for kind, _ in contents[:2]] != ["bool", "graph"]:
            raise BadProgram(f"the program calls {node.target} with other arguments than PyTorch: save it again")
        (_, enabled), (_, inner) = contents[:2]
        operands = [_argument(each.arg, scope) for each in node.inputs[2:]]
        inputs = [_name(*argument.content()) for argument in inner.graph.inputs]
        outputs = [_name(*argument.content()) for argument in node.outputs]
        if len(inputs) != len(operands) or len(outputs) != len(inner.graph.outputs):
            raise BadProgram(f"the program calls {node.target} with other arguments than its graph has: save it again")
        inside: Scope = dict(zip(inputs, operands, strict=True))
        self._add_all(inner.graph, inside, no_grad=not enabled)
        for name, argument in zip(outputs, inner.graph.outputs, strict=True):
            scope[name] = _argument(argument, inside)


def _results(node: Node) -> list[tuple[str, str | None]]:
    """The kind of each result, and its name; it has none if the result does not exist."""
    contents = [output.content() for output in node.outputs]
    if len(contents) == 1 and contents[0][0] == "tensors":
        contents = [("tensor", name) for name in contents[0][1]]
    return [(kind, None if kind == "none" else _name(kind, content)) for kind, content in contents]


def _name(kind: str, content: Any) -> str:
    """The name of a result, or of an input or output of a graph."""
    name = content.name if kind == "tensor" else None
    if kind in ("sym_int", "sym_float", "sym_bool"):
        name = content.as_name
    if not isinstance(name, str):
        raise BadProgram(f"the program computes something else than tensors and numbers ({kind}): export it without")
    return name


def _argument(argument: Argument, scope: Scope) -> Any:
    """The JSON of an argument; raises BadProgram."""
    kind, content = argument.content()
    match kind:
        case "none":
            return None
        case "int" | "ints" | "bool" | "bools" | "string":
            return content
        case "float":
            return _float(content)
        case "floats":
            return [_float(number) for number in content]
        case "tensor":
            return _lookup(content.name, scope)
        case "tensors":
            return [_lookup(tensor.name, scope) for tensor in content]
        case "optional_tensor":
            return _lookup(content.as_tensor.name, scope) if content.as_tensor else None
        case "optional_tensors":
            return [_lookup(each.as_tensor.name, scope) if each.as_tensor else None for each in content]
        case "sym_int" | "sym_float" | "sym_bool":
            return _number(content, scope)
        case "sym_ints" | "sym_floats" | "sym_bools":
            return [_number(number, scope) for number in content]
        case "device":
            return {"device": "pixels"}
        case "scalar_type" if content in DTYPES:
            return {"dtype": DTYPES[content]}
        case "memory_format" if content in MEMORY_FORMATS:
            return {"memory_format": MEMORY_FORMATS[content]}
        case "layout" if content == STRIDED:
            return {"layout": "strided"}
    raise BadProgram(f"the program has an argument of an unknown kind ({kind}): export the network without it")


def _lookup(name: str, scope: Scope) -> object:
    if name not in scope:
        raise BadProgram(f"the program reads {name[:100]!r}, which is not computed before it: save it again")
    return scope[name]


def _float(number: float | str) -> object:
    if isinstance(number, float):
        return number
    if number not in NOT_FINITE:
        raise BadProgram(f"the program has {number[:100]!r} in place of a number: save it again")
    return {"float": NOT_FINITE[number]}


def _number(number: SymArgument, scope: Scope) -> object:
    if number.as_name is not None:
        return _lookup(number.as_name, scope)
    if number.as_float is not None:
        return _float(number.as_float)
    return number.as_bool if number.as_int is None else number.as_int

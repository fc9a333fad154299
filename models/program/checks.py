"""Checks how the operators of a program are called: with their own arguments, as in evaluation, on nothing fixed."""

from torch._ops import OpOverload

from models.program.graph import BadProgram, Graph, Node, Reference
from models.program.operators import operator

SHARING = """
    alpha_dropout atleast_1d atleast_2d atleast_3d broadcast_tensors conj_physical dropout einsum feature_alpha_dropout
    feature_dropout meshgrid type_as unsafe_chunk unsafe_split unsafe_split_with_sizes
"""
"""Operators whose result may be the memory of an argument although their schemas do not say so."""

VIEWS = "_unsafe_view contiguous flatten ravel reshape reshape_as view view_as"
"""Operators whose result is the memory of their argument or a copy, depending on its strides."""


def check(graph: Graph) -> None:
    """Raise BadProgram unless each node calls an allowed operator that changes no weight and does nothing at random.

    The arguments must be those of the operator's schema; their types and sizes are left to the operator itself.
    """
    fixed = {graph.pixels.name, *(weight.name for weight in graph.weights)}
    numbers: set[str] = set()
    for node in graph.nodes:
        function = operator(node.operator)
        if not isinstance(function, OpOverload):
            _check_numbers(node, numbers)
            numbers |= {name for name in node.results if name is not None}
            continue
        if not any("Tensor" in str(value.real_type) for value in function._schema.returns):
            numbers |= {name for name in node.results if name is not None}
        bound = _bind(node, function)
        _check_evaluation(node, bound)
        fixed |= _check_writes(node, function, bound, fixed)
    _check_views(graph)


def _check_views(graph: Graph) -> None:
    """Raise BadProgram if something is written into a view, or into what it is a view of, and the other is read later.

    Pixels may lie in memory in another order than in the exported program, and then a copy is made in place of a view.
    """
    family: dict[str, set[str]] = {}  # the values that may share memory with a value, itself among them
    viewed: set[str] = set()
    last_read = {name: place for place, node in enumerate(graph.nodes) for name in node.references()}
    last_read[graph.output] = len(graph.nodes)
    for place, node in enumerate(graph.nodes):
        function = operator(node.operator)
        if not isinstance(function, OpOverload):
            continue
        arguments = _bind(node, function)
        results = {result for result in node.results if result is not None}
        for argument in function._schema.arguments:
            value = arguments.get(argument.name)
            if argument.alias_info is None or not isinstance(value, Reference):
                continue
            members = family.setdefault(value.name, {value.name})
            if argument.alias_info.is_write:
                others = members - results - {value.name}
                if members & viewed and any(last_read.get(other, -1) > place for other in others):
                    raise BadProgram(
                        f"the program writes into a tensor (by {node.operator}) of which another view is read later: "
                        "write the network without operators in place there, and export it again"
                    )
            if function._schema.name.removeprefix("aten::") in VIEWS.split():
                viewed |= results
            members |= results
            for result in results:
                family[result] = members


def _check_numbers(node: Node, numbers: set[str]) -> None:
    """Raise BadProgram unless all arguments are numbers, or among the values that are `numbers`."""
    are_numbers = all(
        value.name in numbers if isinstance(value, Reference) else isinstance(value, int | float)  # a bool is an int
        for value in node.arguments
    )
    if node.keywords or len(node.results) != 1 or not are_numbers:
        raise BadProgram(f"the program calls {node.operator} with something else than numbers: export it again")


def _bind(node: Node, function: OpOverload) -> dict[str, object]:
    """The arguments of the call by their names in the schema."""
    names = [argument.name for argument in function._schema.arguments]
    positional = [argument.name for argument in function._schema.arguments if not argument.kwarg_only]
    bound = dict(zip(positional, node.arguments, strict=False))
    if len(node.arguments) > len(positional) or not set(node.keywords) <= set(names) - set(bound):
        raise BadProgram(f"the program calls {node.operator} with arguments that it does not have: export it again")
    returns = [str(value.real_type) for value in function._schema.returns]
    if returns != ["List[Tensor]"] and (len(node.results) != len(returns) or any("List" in kind for kind in returns)):
        raise BadProgram(f"the program expects other results of {node.operator} than it has: export it again")
    return {**bound, **node.keywords}


def _check_evaluation(node: Node, bound: dict[str, object]) -> None:
    """Raise BadProgram if the call belongs to training: a dropout that drops, or a norm that reads the batch."""
    trains = any(bound.get(name, False) is not False for name in ("train", "training"))
    drops = bound.get("dropout_p", 0.0) != 0.0
    updates = bound.get("use_input_stats", False) is not False and bound.get("running_mean") is not None
    if trains or drops or updates:
        raise BadProgram(
            f"the program calls {node.operator} as in training, so that its logits are random or depend on the other "
            "pictures of a batch: call model.eval() before exporting"
        )


def _check_writes(node: Node, function: OpOverload, bound: dict[str, object], fixed: set[str]) -> set[str]:
    """The results that share the memory of `fixed` values; raises BadProgram if the call writes into one of these."""
    shares = False
    for argument in function._schema.arguments:
        value = bound.get(argument.name)
        elements = value if isinstance(value, tuple) else (value,)
        if not any(isinstance(element, Reference) and element.name in fixed for element in elements):
            continue
        if argument.alias_info is not None and argument.alias_info.is_write:
            raise BadProgram(
                f"the program changes its weights or its input in each pass (by {node.operator}): call model.eval() "
                "before exporting, and write the network without it"
            )
        undeclared = function._schema.name.removeprefix("aten::") in SHARING.split()
        shares = shares or undeclared or argument.alias_info is not None
    return {result for result in node.results if shares and result is not None}

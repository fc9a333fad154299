"""Tests the translation of PyTorch's calls: each kind of argument, and graphs inside the graph."""

import pytest

from models.program.graph import BadProgram
from training.importing.programs.serialized import (
    Argument,
    Graph,
    Named,
    NamedArgument,
    Node,
    OptionalTensor,
    Subgraph,
    SymArgument,
)
from training.importing.programs.translation import SET_GRADIENTS, Translation


def tensor(name: str) -> Argument:
    return Argument(as_tensor=Named(name))


def call(target: str, *arguments: Argument, to: list[Argument], **keywords: Argument) -> Node:
    """Return a call as PyTorch writes it: arguments by their position have kind 1, and the others kind 2."""
    inputs = [NamedArgument("", argument, kind=1) for argument in arguments]
    inputs += [NamedArgument(name, argument, kind=2) for name, argument in keywords.items()]
    return Node(f"torch.ops.{target}" if target.startswith("aten") else target, inputs, to)


def translated(*nodes: Node) -> Translation:
    return Translation(Graph([tensor("x")], [], list(nodes), {}), ["x"])


@pytest.mark.parametrize(
    ("argument", "expected"),
    [
        (Argument(as_none=True), None),
        (Argument(as_int=3), 3),
        (Argument(as_ints=[1, 2]), [1, 2]),
        (Argument(as_bool=False), False),
        (Argument(as_bools=[True]), [True]),
        (Argument(as_float=0.5), 0.5),
        (Argument(as_float="-Infinity"), {"float": "-inf"}),
        (Argument(as_floats=[1.0, "NaN"]), [1.0, {"float": "nan"}]),
        (Argument(as_string="constant"), "constant"),
        (tensor("x"), {"value": "x"}),
        (Argument(as_tensors=[Named("x"), Named("x")]), [{"value": "x"}, {"value": "x"}]),
        (Argument(as_optional_tensor=OptionalTensor(as_none=True)), None),
        (
            Argument(as_optional_tensors=[OptionalTensor(as_none=True), OptionalTensor(Named("x"))]),
            [None, {"value": "x"}],
        ),
        (Argument(as_sym_int=SymArgument(as_int=3)), 3),
        (Argument(as_sym_float=SymArgument(as_float="Infinity")), {"float": "inf"}),
        (Argument(as_sym_bool=SymArgument(as_bool=False)), False),
        (Argument(as_sym_ints=[SymArgument(as_name="x"), SymArgument(as_int=2)]), [{"value": "x"}, 2]),
        (Argument(as_scalar_type=13), {"dtype": "bfloat16"}),
        (Argument(as_memory_format=2), {"memory_format": "channels_last"}),
        (Argument(as_layout=7), {"layout": "strided"}),
        (Argument(as_device={"type": "cuda", "index": 3}), {"device": "pixels"}),
    ],
)
def test_each_kind_of_argument(argument: Argument, expected: object) -> None:
    """By its position or by its name; whether memory is pinned does not matter to a program, and is left out."""
    pinned = Argument(as_bool=True)
    (node,) = translated(call("aten.clone.default", argument, a=argument, pin_memory=pinned, to=[tensor("y")])).nodes
    assert node["arguments"] == [expected] and node["keywords"] == {"a": expected}


@pytest.mark.parametrize(
    "argument",
    [
        Argument(),
        Argument(as_int=1, as_bool=True),
        Argument(as_float="1e999"),
        Argument(as_scalar_type=0),
        Argument(as_memory_format=0),
        Argument(as_layout=1),
        tensor("missing"),
        Argument(as_sym_int=SymArgument(as_name="missing")),
        Argument(as_graph=Subgraph("inner", Graph([], [], [], {}))),
    ],
)
def test_other_arguments_are_refused(argument: Argument) -> None:
    with pytest.raises(BadProgram):
        translated(call("aten.clone.default", argument, to=[tensor("y")]))


def test_results_and_functions_of_numbers() -> None:
    """A list of tensors, a tensor beside a result that does not exist, and a number, which is no tensor."""
    translation = translated(
        call("aten.chunk.default", tensor("x"), to=[Argument(as_tensors=[Named("a"), Named("b")])]),
        call("aten.max.dim", tensor("a"), to=[tensor("c"), Argument(as_none=True)]),
        call("_operator.mul", Argument(as_int=2), Argument(as_int=3), to=[Argument(as_sym_int=SymArgument("d"))]),
    )
    assert [node["results"] for node in translation.nodes] == [["a", "b"], ["c", None], ["d"]]
    assert translation.nodes[2]["operator"] == "operator.mul"
    assert translation.tensors == {"a", "b", "c"}


def test_assertions_are_left_out() -> None:
    """They would refuse another device than that of the exporter."""
    assertion = call("aten._assert_tensor_metadata.default", tensor("x"), Argument(as_device={"type": "cpu"}), to=[])
    assert translated(assertion).nodes == []


def without_gradients(enabled: bool, inner: Graph, operand: str, *to: str) -> Node:
    arguments = [Argument(as_bool=enabled), Argument(as_graph=Subgraph("inner", inner)), tensor(operand)]
    return call(SET_GRADIENTS, *arguments, to=[tensor(name) for name in to])


def test_a_graph_without_gradients_takes_the_place_of_its_call() -> None:
    """Its names are its own: the inner `y` is another value than the outer one, and `z` is known outside as `w`."""
    inner = Graph(
        [tensor("y")],
        [tensor("z")],
        [
            call("aten.abs.default", tensor("y"), to=[tensor("x")]),
            call("aten.neg.default", tensor("x"), to=[tensor("z")]),
        ],
        {},
    )
    translation = translated(
        call("aten.exp.default", tensor("x"), to=[tensor("y")]),
        without_gradients(False, inner, "y", "w"),
        without_gradients(True, inner, "w", "v"),
        call("aten.add.Tensor", tensor("y"), tensor("v"), to=[tensor("z")]),
    )
    names = [node["results"][0] for node in translation.nodes]
    assert len(set(names)) == 6 and "x" not in names
    exp, absolute, negative, absolute_2, negative_2, _ = names
    assert [(node["operator"], node["arguments"], node["no_grad"]) for node in translation.nodes] == [
        ("aten.exp.default", [{"value": "x"}], False),
        ("aten.abs.default", [{"value": exp}], True),
        ("aten.neg.default", [{"value": absolute}], True),
        ("aten.abs.default", [{"value": negative}], False),
        ("aten.neg.default", [{"value": absolute_2}], False),
        ("aten.add.Tensor", [{"value": exp}, {"value": negative_2}], False),
    ]
    assert translation.value("v") == negative_2


def test_damaged_graphs_are_refused() -> None:
    """Results of the same name, too many results, too few operands, and values of the graph outside."""
    inner = Graph([tensor("y")], [tensor("y")], [], {})
    double = call("aten.abs.default", tensor("x"), to=[tensor("y")])
    for nodes in (
        [double, double],
        [call(SET_GRADIENTS, Argument(as_bool=False), to=[])],
        [without_gradients(False, inner, "x", "v", "w")],
        [without_gradients(False, Graph([], [], [], {}), "x")],
        [without_gradients(False, Graph([tensor("y")], [tensor("x")], [], {}), "x", "v")],
        [call("aten.split.Tensor", tensor("x"), to=[Argument(as_tensors=[Named("a")]), tensor("b")])],
    ):
        with pytest.raises(BadProgram):
            translated(*nodes)

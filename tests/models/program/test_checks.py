"""Tests how the operators of a program may be called."""

import pytest

from models.program.checks import SHARING, check
from models.program.graph import BadProgram, parse
from tests.models.program.documents import Document, colours, node


def call(*nodes: Document) -> None:
    """Check a program with these calls from the value `means` [n, 3] to the value `features`."""
    check(parse(colours(*nodes)))


@pytest.mark.parametrize(
    "nodes",
    [
        [node("aten.dropout.default", "means", 0.5, False, to="features")],
        [node("aten.relu_.default", "means", to="features")],
        [node("aten.add_.Tensor", "means", "means", to="twice"), node("aten.relu_.default", "twice", to="features")],
        # The result of += is the memory of the left side alone, not of a weight on the right.
        [node("aten.add_.Tensor", "means", "head_weight", to="sum"), node("aten.relu_.default", "sum", to="features")],
        [node("aten.clone.default", "head_weight", to="copy"), node("aten.relu_.default", "copy", to="features")],
        [node("aten.instance_norm.default", "means", None, None, None, None, True, 0.1, 1e-5, False, to="features")],
        [node("aten.chunk.default", "means", 2, to=["features", "rest"])],
        [node("aten.max.dim", "means", 1, to=["features", None])],
        [node("aten.arange.default", 3, to="features", keywords={"dtype": {"dtype": "float32"}})],
        [
            node("aten.sym_size.int", "means", 0, to="rows"),
            node("operator.mul", "rows", 2, to="twice"),
            node("aten.ones.default", ["rows", 3], to="features"),
        ],
    ],
)
def test_calls_as_in_evaluation_are_accepted(nodes: list[Document]) -> None:
    call(*nodes)


@pytest.mark.parametrize(
    "nodes",
    [
        [node("aten.dropout.default", "means", 0.5, True, to="features")],
        [node("aten.dropout.default", "means", 0.5, "means", to="features")],
        [node("aten.native_dropout.default", "means", 0.5, None, to=["features", None])],
        [node("aten.scaled_dot_product_attention.default", *["means"] * 3, None, 0.1, to="features")],
        [node("aten.batch_norm.default", "means", None, None, None, None, True, 0.1, 1e-5, False, to="features")],
        [node("aten.instance_norm.default", *["means"] * 5, True, 0.1, 1e-5, False, to="features")],
    ],
)
def test_calls_as_in_training_are_refused(nodes: list[Document]) -> None:
    """They drop features at random, or normalise by the statistics of the batch."""
    with pytest.raises(BadProgram, match=r"call model\.eval\(\)"):
        call(*nodes)


@pytest.mark.parametrize(
    "nodes",
    [
        [node("aten.relu_.default", "head_weight", to="features")],
        [node("aten.relu_.default", "pixels", to="features")],
        [node("aten.t.default", "head_weight", to="view"), node("aten.relu_.default", "view", to="features")],
        [
            node("aten.chunk.default", "pixels", 3, 1, to=["red", "green", "blue"]),
            node("aten.mul_.Scalar", "green", 2, to="features"),
        ],
        [
            node("aten.dropout.default", "pixels", 0.5, False, to="same"),
            node("aten.relu_.default", "same", to="features"),
        ],
        [
            node("aten.lift_fresh.default", "head_weight", to="same"),
            node("aten.index_put_.default", "same", [0], "means", to="features"),
        ],
    ],
)
def test_weights_and_pixels_are_not_changed(nodes: list[Document]) -> None:
    """Not even through another value that shares their memory."""
    with pytest.raises(BadProgram, match="changes its weights or its input"):
        call(*nodes)


@pytest.mark.parametrize(
    "nodes",
    [
        [node("aten.relu.default", "means", 1, to="features")],
        [node("aten.relu.default", "means", to="features", keywords={"self": 1})],
        [node("aten.relu.default", "means", to="features", keywords={"out": 1})],
        [node("aten.relu.default", "means", to=["features", "more"])],
        [node("aten.max.dim", "means", 1, to="features")],
        [node("operator.mul", ("text",), 1000, to="features")],
        [node("operator.mul", [1], 1000, to="features")],
        [node("operator.mul", 2, 3, to=["features", "more"])],
        [node("operator.mul", 2, to="features", keywords={"b": 3})],
        # Functions of numbers would hand on a weight, which can then be changed.
        [node("operator.pos", "head_weight", to="same"), node("aten.relu_.default", "same", to="features")],
        [node("torch.sym_ite", 1, "head_weight", 2, to="same"), node("aten.relu_.default", "same", to="features")],
    ],
)
def test_calls_with_other_arguments_or_results_are_refused(nodes: list[Document]) -> None:
    with pytest.raises(BadProgram, match="export it again"):
        call(*nodes)


SHARED = {
    "alpha_dropout.default": ("head_weight", 0.5, False),
    "atleast_1d.default": ("head_weight",),
    "atleast_2d.default": ("head_weight",),
    "broadcast_tensors.default": (["head_weight"],),
    "conj_physical.default": ("head_weight",),
    "feature_dropout.default": ("head_weight", 0.5, False),
    "meshgrid.default": (["head_weight"],),
    "type_as.default": ("head_weight", "head_weight"),
    "unsafe_chunk.default": ("head_weight", 1),
    "unsafe_split.Tensor": ("head_weight", 3),
    "unsafe_split_with_sizes.default": ("head_weight", [2]),
    "einsum.default": (("ij->ij",), ["head_weight"]),
}
"""Operators of SHARING, with arguments."""


@pytest.mark.parametrize("name", SHARED)
def test_results_that_share_memory_without_a_word_are_not_changed_either(name: str) -> None:
    """PyTorch's schemas say that their results are new, and they may be the weight itself."""
    assert name.partition(".")[0] in SHARING.split()
    several = name.startswith(("broadcast", "meshgrid", "unsafe"))
    shared = node(f"aten.{name}", *SHARED[name], to=["same"] if several else "same")
    with pytest.raises(BadProgram, match="changes its weights or its input"):
        call(shared, node("aten.relu_.default", "same", to="features"))


@pytest.mark.parametrize("view", ["view.default", "reshape.default", "flatten.using_ints", "contiguous.default"])
@pytest.mark.parametrize("written", ["means", "same"])
def test_what_is_written_into_a_view_is_lost_where_that_is_a_copy(view: str, written: str) -> None:
    """So the other one must not be read later, and it may where nothing is written, or before."""
    arguments = {"view": ([-1, 3],), "reshape": ([-1, 3],), "flatten": (1,), "contiguous": ()}[view.partition(".")[0]]
    shared = node(f"aten.{view}", "means", *arguments, to="same")
    other = "same" if written == "means" else "means"
    write = node("aten.relu_.default", written, to="now")
    with pytest.raises(BadProgram, match="of which another view is read later"):
        call(shared, write, node("aten.add.Tensor", "now", other, to="features"))
    call(shared, write, node("aten.add.Tensor", "now", written, to="features"))
    call(shared, node("aten.add.Tensor", "same", "means", to="features"))
    call(node("aten.relu_.default", "means", to="now"), shared, node("aten.add.Tensor", "now", "same", to="features"))

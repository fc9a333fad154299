"""Tests the network of a program on programs whose logits and gradients are known in closed form."""

import copy
import gc
import warnings
import weakref

import pytest
import torch
from torch import Tensor, fx, nn

from models.layers import layers, watching
from models.program.graph import BadProgram, parse
from models.program.network import Program
from tests.models.program.documents import HEAD, Document, colours, document, node, pictures, weight


def network(program: Document, **weights: Tensor) -> Program:
    """Return the network of a program, with HEAD as its head and these other weights."""
    made = Program(parse(program))
    made.load_state_dict({"head.weight": HEAD, **weights})
    return made.eval().requires_grad_(False)


def logits(*reds: float) -> list[list[float]]:
    """Return the logits of `colours` for `pictures` of these reds."""
    return [[red + 4, 1 - red] for red in reds]


@pytest.mark.parametrize("rows", [None, 1, 2, 3])
@pytest.mark.parametrize("reds", [(), (0.25,), (0.0, 0.5), (0.0, 0.25, 0.5, 0.75, 1.0)])
def test_the_logits_of_any_number_of_pictures(rows: int | None, reds: tuple[float, ...]) -> None:
    """The same if the program takes 1, 2 or 3 rows: the last group is filled up with rows that nobody sees."""
    computed = network(colours(rows=rows))(pictures(*reds))
    torch.testing.assert_close(computed, torch.tensor(logits(*reds)).reshape(-1, 2))


@pytest.mark.parametrize("rows", [None, 2])
def test_gradients_with_respect_to_the_pixels(rows: int | None) -> None:
    """The gradient of the first logit is its weight of the colour over 16 pixels, in each row."""
    pixels = pictures(0.1, 0.2, 0.3).requires_grad_()
    (gradient,) = torch.autograd.grad(network(colours(rows=rows))(pixels)[:, 0].sum(), pixels)
    torch.testing.assert_close(gradient, (HEAD[0] / 16).reshape(1, 3, 1, 1).expand(3, 3, 4, 4))


def test_weights_have_the_names_of_the_original_network() -> None:
    """A buffer is one; both are zero until they are loaded, and a copy has weights of its own."""
    program = colours(node("aten.add.Tensor", "means", "norm_shift", to="features"))
    program["weights"].append(weight("norm.shift", 3, kind="buffer", dtype="int64"))
    made = Program(parse(program))
    assert [name for name, _ in made.named_parameters()] == ["head.weight"]
    assert [(name, buffer.dtype) for name, buffer in made.named_buffers()] == [("norm.shift", torch.int64)]
    assert not any(tensor.any() for tensor in made.state_dict().values())
    duplicate = copy.deepcopy(made)
    made.load_state_dict({"head.weight": HEAD, "norm.shift": torch.ones(3, dtype=torch.int64)})
    assert made(pictures(0.0)).tolist() == [[10.0, 1.0]]
    assert duplicate(pictures(0.0)).tolist() == [[0.0, 0.0]]


@pytest.mark.parametrize("rows", [None, 1, 2])
def test_hooks_see_the_outputs_of_the_layers_once_with_all_rows(rows: int | None) -> None:
    made = network(colours(rows=rows))
    with watching(made, ["body.pool", "head"]) as outputs:
        made(pictures(0.0, 0.5, 1.0))
    assert outputs["body.pool"].tolist() == [[0.0, 0.5, 1.0], [0.5, 0.5, 1.0], [1.0, 0.5, 1.0]]
    assert outputs["head"].tolist() == logits(0.0, 0.5, 1.0)
    assert [type(made.get_submodule(name)).__name__ for name in ("body.pool", "head", "body")] == [
        "Pool",
        "Linear",
        "Module",
    ]


@pytest.mark.parametrize("rows", [None, 1, 2])
def test_hooks_replace_the_output_of_a_layer(rows: int | None) -> None:
    """The network goes on with means of (1, 0, 0), and gives the first column of the weight; gradients flow to them."""
    made = network(colours(rows=rows))
    replacement = torch.tensor([[1.0, 0, 0]]).repeat(3, 1).requires_grad_()
    made.get_submodule("body.pool").register_forward_hook(lambda *_: replacement.clone())
    computed = made(pictures(0.1, 0.2, 0.3))
    assert computed.tolist() == [[1.0, -1.0]] * 3
    (gradient,) = torch.autograd.grad(computed[:, 0].sum(), replacement)
    assert gradient.tolist() == [HEAD[0].tolist()] * 3


@pytest.mark.parametrize("rows", [None, 1, 2])
def test_layers_are_listed_as_of_any_network(rows: int | None) -> None:
    listed = layers(network(colours(rows=rows)), torch.rand(2, 3, 4, 4))
    assert [(layer.name, layer.kind, layer.channels) for layer in listed] == [
        ("body.pool", "Pool", 3),
        ("head", "Linear", 2),
    ]


@pytest.mark.parametrize("rows", [None, 1])
def test_operators_in_place_work_with_hooks_and_gradients(rows: int | None) -> None:
    """The mean of red is -0.5 and becomes 0 in place: its gradient is 0, and the recorded output stays what it was."""
    made = network(colours(node("aten.relu_.default", "means", to="features"), rows=rows))
    pixels = pictures(-0.5, -0.5).requires_grad_()
    with watching(made, ["body.pool"]) as outputs:
        computed = made(pixels)
    assert outputs["body.pool"][:, 0].tolist() == [-0.5, -0.5]
    assert computed.tolist() == logits(0.0, 0.0)
    (gradient,) = torch.autograd.grad(computed[:, 0].sum(), pixels)
    assert not gradient[:, 0].any() and torch.equal(gradient[:, 1], torch.full((2, 4, 4), 2 / 16))


def test_a_change_in_place_is_seen_under_the_name_of_what_was_changed() -> None:
    """As in `means.mul_(2); return means`: what is read later are the doubled means, and the hook sees them."""
    program = colours(
        node("aten.mul_.Scalar", "means", 2, to="unread"), node("aten.alias.default", "means", to="features")
    )
    program["layers"][0]["end"] = 1
    made = network(program)
    with watching(made, ["body.pool"]) as outputs:
        assert made(pictures(0.25)).tolist() == [[8.5, 1.5]]
    assert outputs["body.pool"].tolist() == [[0.5, 1.0, 2.0]]


def test_no_gradient_flows_through_a_call_without_gradients() -> None:
    """The features are mean * mean, but the second factor has no gradient: a logit has that of weight * mean."""
    program = colours(
        node("aten.alias.default", "means", to="factor", no_grad=True),
        node("aten.mul.Tensor", "means", "factor", to="features"),
    )
    pixels = pictures(0.5).requires_grad_()
    (gradient,) = torch.autograd.grad(network(program)(pixels)[0, 0], pixels)
    torch.testing.assert_close(gradient[0, :, 0, 0], HEAD[0] * torch.tensor([0.5, 0.5, 1.0]) / 16)


def test_rounding_has_no_gradient() -> None:
    """The means (0.75, 0.5, 1) become (1, 0, 1)."""
    pixels = pictures(0.75).requires_grad_()
    computed = network(colours(node("aten.round.default", "means", to="features")))(pixels)
    (gradient,) = torch.autograd.grad(computed.sum(), pixels)
    assert computed.tolist() == [[4.0, 0.0]] and not gradient.any()


def test_sizes_are_computed_from_the_number_of_rows() -> None:
    """The means of all rows in one column, and back."""
    program = colours(
        node("aten.sym_size.int", "pixels", 0, to="rows"),
        node("operator.mul", "rows", 3, to="length"),
        node("aten.view.default", "means", ["length", 1], to="column"),
        node("aten.view.default", "column", ["rows", 3], to="features"),
    )
    assert network(program)(pictures(0.0, 0.5)).tolist() == logits(0.0, 0.5)


def test_operators_with_several_results_and_lists_of_tensors() -> None:
    """The channels are taken apart and put together in reverse; of the largest mean, the position is not read."""
    program = colours(
        node("aten.chunk.default", "means", 3, 1, to=["red", "green", "blue"]),
        node("aten.max.dim", "means", 1, True, to=["largest", "position"]),
        node("aten.cat.default", ["largest", "green", "red"], 1, to="features"),
    )
    assert network(program)(pictures(0.25)).tolist() == [[1 + 1 + 0.75, -1 + 0.25]]


def test_tensors_are_made_on_the_device_of_the_pixels() -> None:
    """Whatever device the program named, or none: "meta" is a device without values, and refuses those of another."""
    program = colours(
        node("aten.ones.default", [3], to="ones", keywords={"device": {"device": "pixels"}}),
        node("aten.arange.default", 3, to="numbers"),
        node("aten.to.device", "ones", ({"device": "pixels"},), ({"dtype": "float32"},), to="moved"),
        node("aten.add.Tensor", "moved", "numbers", to="sum"),
        node("aten.mul.Tensor", "means", "sum", to="features"),
    )
    made = network(program)
    assert made(pictures(1.0)).tolist() == [[1 + 2 * 2 * 0.5 + 3 * 3, -1 + 3]]
    assert made.to("meta")(pictures(1.0).to("meta")).device.type == "meta"


def test_values_are_freed_after_their_last_use() -> None:
    """Of a chain of calls, at most two values exist at a time, as in a network that was written by hand."""
    chain = [f"value_{number}" for number in range(6)]
    calls = [
        node("aten.neg.default", before, to=after) for before, after in zip(["means", *chain], chain, strict=False)
    ]
    program = colours(*calls, node("aten.alias.default", "value_5", to="features"))
    program["layers"][1:1] = [
        {"path": name, "kind": "Neg", "value": name, "end": number + 1} for number, name in enumerate(chain)
    ]
    made = network(program)
    outputs: list[weakref.ref[Tensor]] = []
    alive: list[int] = []

    def record(_: nn.Module, __: tuple[object, ...], output: Tensor) -> None:
        outputs.append(weakref.ref(output))
        gc.collect()
        alive.append(sum(reference() is not None for reference in outputs))

    for name in chain:
        made.get_submodule(name).register_forward_hook(record)
    with torch.no_grad():
        made(pictures(0.5))
    assert max(alive) <= 2


def test_a_network_can_be_exported_again_and_followed_by_fx() -> None:
    """Both give the same logits for another number of rows than that of the example."""
    made = network(colours(node("aten.relu_.default", "means", to="features")))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        exported = torch.export.export(made, (pictures(0.0, 0.5),), dynamic_shapes=({0: torch.export.Dim("rows")},))
    for function in (exported.module(), fx.symbolic_trace(made)):
        assert function(pictures(0.0, 0.5, 1.0)).tolist() == logits(0.0, 0.5, 1.0)


def test_it_works_with_channels_last() -> None:
    """A view that the exported program made of contiguous pixels is a copy of those in another order."""
    program = document(
        [
            node("aten.view.default", "pixels", [-1, 48], to="flat"),
            node("aten.linear.default", "flat", "head_weight", to="logits"),
        ],
        [weight("head.weight", 1, 48)],
    )
    head = torch.arange(48.0).reshape(1, 48)
    made = network(program, **{"head.weight": head}).to(memory_format=torch.channels_last)
    pixels = torch.rand(2, 3, 4, 4)
    expected = (pixels.flatten(1) * head).sum(dim=1, keepdim=True)
    torch.testing.assert_close(made(pixels.to(memory_format=torch.channels_last)), expected)


@pytest.mark.parametrize("path", ["forward", "training.weight", "head._parameters", "_weights", "state_dict.x"])
def test_names_that_a_module_already_has_are_refused(path: str) -> None:
    program = colours()
    program["weights"].append({**weight(path, 1), "name": "extra"})
    with pytest.raises(BadProgram, match="rename it"):
        Program(parse(program))


def test_a_layer_with_such_a_name_is_refused() -> None:
    program = colours()
    program["layers"][0]["path"] = "_layers"
    with pytest.raises(BadProgram, match="rename it"):
        Program(parse(program))


def test_operators_are_checked() -> None:
    program = colours({**node("aten.from_file.default", to="features"), "arguments": ["/etc/passwd", None, 3]})
    with pytest.raises(BadProgram, match=r"aten\.from_file\.default, which is not on the list"):
        Program(parse(program))


def test_a_size_that_is_too_large_is_refused_in_the_pass() -> None:
    program = colours(
        node("aten.sym_size.int", "pixels", 0, to="rows"),
        node("operator.mul", "rows", 2**62, to="many"),
        node("aten.ones.default", ["many"], to="features"),
    )
    with pytest.raises(BadProgram, match="too large"):
        network(program)(pictures(0.0, 0.5, 1.0))

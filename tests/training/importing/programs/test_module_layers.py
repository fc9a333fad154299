"""Tests which modules are found as layers, from the texts that PyTorch notes beside the calls."""

from models.program.graph import Node, Reference
from training.importing.programs.module_layers import module_layers


def node(result: str, *reads: str) -> Node:
    return Node("aten.add.Tensor", tuple(Reference(name) for name in reads), {}, (result,))


def stack(*modules: str) -> str:
    """Return PyTorch's text for modules such as "block.0:Conv2d" or, for a second call, "relu:ReLU@1"."""
    entries = ["L__self__,,tests.Network"]
    for module in modules:
        path, _, kind = module.partition(":")
        kind, at, call = kind.partition("@")
        entries.append(f"L__self___{path}{at}{call},{path},torch.nn.modules.{kind}")
    return ";".join(entries)


def layers_of(nodes: list[Node], stacks: list[str], tensors: str = "abcdef") -> list[tuple[str, str, str, int]]:
    layers = module_layers(nodes, stacks, nodes[-1].results[0] or "", set(tensors))
    return [(layer["path"], layer["kind"], layer["value"], layer["end"]) for layer in layers]


def test_a_block_comes_after_its_parts() -> None:
    nodes = [node("a", "x"), node("b", "a"), node("c", "b")]
    stacks = [stack("block:Block", "block.0:Conv2d"), stack("block:Block", "block.1:ReLU"), stack()]
    assert layers_of(nodes, stacks) == [
        ("block.0", "Conv2d", "a", 0),
        ("block.1", "ReLU", "b", 1),
        ("block", "Block", "b", 1),
    ]


def test_the_last_layer_returns_the_output() -> None:
    assert layers_of([node("a", "x")], [stack("head:Linear")]) == [("head", "Linear", "a", 0)]


def test_the_output_of_a_module_is_what_others_read() -> None:
    """As in `unread = total.relu_(); return total`: the layer ends after the change in place."""
    nodes = [node("a", "x"), node("b", "a"), node("c", "a")]
    assert layers_of(nodes, [stack("block:Block"), stack("block:Block"), stack()]) == [("block", "Block", "a", 1)]


def test_modules_that_are_called_twice_are_left_out() -> None:
    """And so are their parts, whose calls PyTorch marks, too."""
    nodes = [node("a", "x"), node("b", "a"), node("c", "b")]
    assert layers_of(nodes, [stack("relu:ReLU"), stack("relu:ReLU@1"), stack()]) == []


def test_modules_with_several_or_no_tensors_are_left_out() -> None:
    """One returns two tensors, one a number, and one nothing that anybody reads."""
    nodes = [node("a", "x"), node("b", "x"), node("n", "x"), node("d", "x"), node("e", "a", "b", "n")]
    stacks = [stack("two:Two"), stack("two:Two"), stack("number:Size"), stack("dead:Dead"), stack()]
    assert layers_of(nodes, stacks) == []


def test_a_module_whose_output_is_read_before_it_ends_is_left_out() -> None:
    """Its calls are not together, so there is no moment at which it returns."""
    nodes = [node("a", "x"), node("b", "a"), node("c", "b"), node("d", "b", "c")]
    stacks = [stack("block:Block"), stack(), stack("block:Block"), stack()]
    assert layers_of(nodes, stacks) == []


def test_texts_of_other_forms_are_ignored() -> None:
    empty = "_empty_nn_module_stack_from_metadata_hook"
    texts = ["", ";;,,;", "key", f"{empty},{empty},{empty}", "k,a b,torch.ReLU", "k,a,torch.ReLU()", "k,..,torch.ReLU"]
    for text in texts:
        assert layers_of([node("a", "x"), node("b", "a")], [text, ""]) == []

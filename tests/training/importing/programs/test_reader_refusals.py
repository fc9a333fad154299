"""Tests that programs which are no classifier in eval mode are refused, with a message that says what to do."""

import warnings
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from models.program.graph import BadProgram
from tests.training.importing.programs.programs import (
    PROGRAM,
    SIDE,
    Members,
    export,
    rewrite,
    rewrite_json,
    rewrite_node,
    small,
)
from training.importing.programs.reader import read_program


class Function(nn.Module):
    """A function of the pixels, and what it needs, as a network."""

    def __init__(self, function: Callable[["Function", Tensor], object]) -> None:
        super().__init__()
        self.function = function
        self.weight = nn.Parameter(torch.rand(3))
        self.register_buffer("count", torch.zeros(3))

    def forward(self, pixels: Tensor) -> object:
        return self.function(self, pixels)


def means(pixels: Tensor) -> Tensor:
    return pixels.mean(dim=(2, 3))


def refusal(file: Path) -> str:
    with pytest.raises(BadProgram) as refused:
        read_program(file)
    assert str(refused.value).startswith(f"{file.name} cannot be used: ")
    return str(refused.value)


@pytest.mark.parametrize(
    ("function", "why"),
    [
        (lambda network, pixels: means(pixels + torch.rand_like(pixels)), "rand_like.default, which is random"),
        (lambda network, pixels: means(torch.dropout(pixels, 0.5, True)), "call model.eval() before exporting"),
        (lambda network, pixels: means(pixels) * network.count.add_(1), "changes its weights or its input"),
        (lambda network, pixels: means(pixels.mul_(2)), "changes its weights or its input"),
        (lambda network, pixels: (means(pixels), means(pixels) + 1), "it returns 2 tensors"),
        (lambda network, pixels: pixels, "does not return logits [n, classes]"),
        (lambda network, pixels: means(pixels).mean(dim=0, keepdim=True), "with a row for each picture"),
        (lambda network, pixels: means(pixels).argmax(dim=1), "does not return logits [n, classes]"),
        (
            lambda network, pixels: torch.cond(pixels.sum() > 0, lambda x: means(x), lambda x: -means(x), (pixels,)),
            "higher_order.cond, which is control flow",
        ),
        (lambda _, pixels: means(pixels) + torch.as_strided(pixels, (3,), (1,)), "leave out run_decompositions()"),
    ],
    ids=["random", "dropout", "buffer", "input", "two", "picture", "batch", "classes", "condition", "strides"],
)
def test_programs_that_do_something_else(tmp_path: Path, function: Callable[..., object], why: str) -> None:
    assert why in refusal(export(Function(function), tmp_path / "network.pt2"))


def test_a_program_in_training_mode(tmp_path: Path) -> None:
    assert "call model.eval() before exporting" in refusal(export(small().train(), tmp_path / "network.pt2"))


def test_lower_precision_inside_is_refused(tmp_path: Path) -> None:
    """Autocast is a graph inside the graph, and is not supported."""

    def cast(_: Function, pixels: Tensor) -> Tensor:
        with torch.autocast("cpu", torch.bfloat16):
            return means(pixels)

    assert "wrap_with_autocast, which is control flow" in refusal(export(Function(cast), tmp_path / "network.pt2"))


def test_operators_of_other_libraries(tmp_path: Path) -> None:
    @torch.library.custom_op("mirage_test::double", mutates_args=())
    def double(pixels: Tensor) -> Tensor:
        return pixels * 2

    double.register_fake(torch.empty_like)
    file = export(Function(lambda network, pixels: means(double(pixels))), tmp_path / "network.pt2")
    assert "mirage_test.double.default, which is no operator of PyTorch's own" in refusal(file)
    rewrite_node(export(small(), file), 0, target="torch.ops.torchvision.deform_conv2d.default")
    assert "torchvision.deform_conv2d.default, which belongs to torchvision" in refusal(file)


def save(file: Path, network: nn.Module, *inputs: Tensor, sizes: object = None) -> Path:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.export.export(network, inputs, dynamic_shapes=sizes)
        torch.export.save(program, file)
    return file


class Two(nn.Module):
    """A network of two inputs."""

    def forward(self, pixels: Tensor, others: Tensor) -> Tensor:
        return means(pixels) + means(others)


def test_programs_with_other_inputs(tmp_path: Path) -> None:
    file, network = tmp_path / "network.pt2", Function(lambda network, pixels: pixels.flatten(1))
    assert "takes 2 inputs" in refusal(save(file, Two(), torch.rand(1, 3, 4, 4), torch.rand(1, 3, 4, 4)))
    for example in (torch.rand(1, 3), torch.rand(1, 3, 4, 4).double(), torch.ones(1, 3, 4, 4, dtype=torch.uint8)):
        assert "no float32 tensor [n, channels, height, width]" in refusal(save(file, network, example))


def test_programs_for_pictures_of_any_size(tmp_path: Path) -> None:
    """The preprocessing resizes pictures to one size, which the program has to say."""
    sizes = ({2: torch.export.Dim("height"), 3: torch.export.Dim("width")},)
    file = save(
        tmp_path / "network.pt2", Function(lambda _, pixels: means(pixels)), torch.rand(1, 3, 8, 9), sizes=sizes
    )
    assert "height and width are fixed" in refusal(file)


def test_a_number_of_rows_that_must_be_even(tmp_path: Path) -> None:
    sizes = ({0: 2 * torch.export.Dim("half")},)
    file = save(
        tmp_path / "network.pt2", Function(lambda _, pixels: means(pixels)), torch.rand(4, 3, 8, 8), sizes=sizes
    )
    assert "number of rows is computed from something else" in refusal(file)


@pytest.mark.parametrize(
    ("member", "why"),
    [
        ("serialized_exported_program.json", "save it again with torch.export.save of PyTorch 2.11 or newer"),
        ("data/weights/model.pt", "save it again with torch.export.save of PyTorch 2.11 or newer"),
        ("models/second.json", "it has 2 programs in it"),
    ],
)
def test_archives_of_other_kinds(tmp_path: Path, member: str, why: str) -> None:
    file = export(small(), tmp_path / "network.pt2")
    assert why in refusal(rewrite(file, lambda members: members.update({member: b"{}"})))


def test_files_that_pytorch_writes_otherwise(tmp_path: Path) -> None:
    """TorchScript, weights, and compiled code are named as what they are."""
    file = tmp_path / "network.pt2"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.save(torch.jit.trace(nn.Linear(2, 2), torch.rand(1, 2)), file)
    assert "as in a TorchScript file" in refusal(file)
    torch.save(nn.Linear(2, 2).state_dict(), file)
    assert "it was written by torch.save" in refusal(file)

    def compiled(members: Members) -> None:
        members["data/aotinductor/model/code.so"] = members.pop(PROGRAM)

    assert "it has compiled code in it" in refusal(rewrite(export(small(), file), compiled))
    file.write_text("no archive")
    assert "this is no archive" in refusal(file)
    file.unlink()
    assert "there is no file" in refusal(file)


def test_other_versions_and_machines(tmp_path: Path) -> None:
    file = export(small(), tmp_path / "network.pt2")
    rewrite(file, lambda members: members.update(byteorder=b"big"))
    assert "another order of bytes" in refusal(file)
    export(small(), file)
    rewrite_json(file, PROGRAM, lambda program: program["schema_version"].update(major=9))
    assert "its format has version 9, and 8 is known here" in refusal(file)


def test_later_fields_of_pytorchs_format_are_ignored(tmp_path: Path) -> None:
    def extend(program: dict[str, object]) -> None:
        program["from_the_future"] = {"code": 1}
        program["graph_module"]["graph"]["nodes"][0]["from_the_future"] = 2  # type: ignore[index]

    file = export(small(), tmp_path / "network.pt2")
    expected = read_program(file).graph
    assert read_program(rewrite_json(file, PROGRAM, extend)).graph == expected
    assert expected.pixels.shape == (None, 3, SIDE, SIDE)

"""Tests that a network read from a .pt2 file is the network that was exported, to its layers and gradients."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torchvision.models import get_model

from models.layers import layers, watching
from models.program.graph import parse, to_json
from models.program.network import Program
from tests.networks import normalise_by
from tests.training.importing.programs.programs import SIDE, Small, export, small
from training.importing.programs.reader import ExportedProgram, read_program


def loaded(program: ExportedProgram) -> Program:
    """Return the network of a program with its weights, by way of the JSON that a checkpoint keeps."""
    network = Program(parse(to_json(program.graph)))
    network.load_state_dict(dict(program.weights))
    return network.eval().requires_grad_(False)


def pictures(rows: int, side: int = SIDE) -> Tensor:
    return torch.rand(rows, 3, side, side, generator=torch.Generator().manual_seed(1))


def gradient(network: nn.Module, pixels: Tensor) -> tuple[Tensor, Tensor]:
    """Return the logits, and the gradient of a sum of them with weights of both signs."""
    leaf = pixels.detach().clone().requires_grad_()
    logits = network(leaf)
    (result,) = torch.autograd.grad((logits * torch.cos(torch.arange(logits.shape[1]))).sum(), leaf)
    return logits.detach(), result


def assert_same(original: nn.Module, program: Program, pixels: Tensor) -> None:
    """Compare logits, gradients, the list of layers, and what each layer outputs."""
    (expected, expected_gradient), (logits, pixel_gradient) = gradient(original, pixels), gradient(program, pixels)
    torch.testing.assert_close(logits, expected, rtol=1e-5, atol=1e-5)
    assert (pixel_gradient - expected_gradient).norm() <= 1e-4 * expected_gradient.norm() and expected_gradient.any()
    names = [layer.name for layer in layers(original, pixels[:2])]
    listed = layers(program, pixels[:2])
    attentions = {name for name, module in original.named_modules() if isinstance(module, nn.MultiheadAttention)}
    assert [layer.name for layer in listed if layer.name not in attentions] == names
    assert all(type(original.get_submodule(layer.name)).__name__ == layer.kind for layer in listed)
    with torch.no_grad(), watching(original, names) as first, watching(program, names) as second:
        original(pixels), program(pixels)
    for name in names:
        torch.testing.assert_close(second[name], first[name], rtol=1e-4, atol=1e-4 * float(first[name].abs().max()))


@pytest.mark.parametrize("rows", [None, 1, 2])
def test_a_network_that_no_library_knows(tmp_path: Path, rows: int | None) -> None:
    """Whether the program takes any number of rows, one or two; three pictures are shown to each."""
    original = small()
    program = read_program(export(original, tmp_path / "small.pt2", rows=rows))
    assert program.graph.pixels.shape == (rows, 3, SIDE, SIDE) and program.classes == 4
    assert program.torch_version == torch.__version__
    assert_same(original, loaded(program), pictures(3))


def test_weights_have_their_paths_values_and_types(tmp_path: Path) -> None:
    """Also buffers that are not part of the state dict, and constants: plain attributes, and numbers in the code."""
    original = small()
    weights = read_program(export(original, tmp_path / "small.pt2")).weights
    assert set(original.state_dict()) | {"scale", "shift"} <= set(weights)
    for name, expected in {**original.state_dict(), "scale": original.scale, "shift": original.shift}.items():
        assert torch.equal(weights[name], expected) and weights[name].dtype == expected.dtype, name


def test_modules_that_are_called_twice_are_no_layers(tmp_path: Path) -> None:
    """The activation of the block is; the block itself, its parts and the attention are called once."""
    program = read_program(export(small(), tmp_path / "small.pt2"))
    kinds = {layer.path: layer.kind for layer in program.graph.layers}
    assert "block.relu" not in kinds
    assert kinds["block"] == "Block" and kinds["block.norm"] == "BatchNorm2d" and kinds["head"] == "Linear"
    assert kinds["attention"] == "MultiheadAttention"


@pytest.mark.parametrize("strict", [True, False])
def test_both_ways_of_exporting(tmp_path: Path, strict: bool) -> None:
    """PyTorch writes other keys of the modules if it follows the bytecode (strict)."""
    original = small()
    assert_same(original, loaded(read_program(export(original, tmp_path / "small.pt2", strict=strict))), pictures(2))


def test_a_program_of_core_operators(tmp_path: Path) -> None:
    """Those that are left after `run_decompositions`; their views fit contiguous pixels alone."""
    original = small()
    file = tmp_path / "core.pt2"
    torch.export.save(torch.export.export(original, (pictures(2),)).run_decompositions(), file)
    pixels = pictures(3)
    program = loaded(read_program(file)).to(memory_format=torch.channels_last)
    logits = program(pixels.to(memory_format=torch.channels_last))
    torch.testing.assert_close(logits, original(pixels), rtol=1e-5, atol=1e-5)


class WithoutGradients(Small):
    """A network that computes weights of the pixels without gradients; modules are called there, too."""

    def forward(self, pixels: Tensor) -> Tensor:
        with torch.no_grad():
            weights = self.head(self.stem(pixels).mean(dim=(2, 3))).softmax(dim=1).round(decimals=2)
        return super().forward(pixels) * weights


def test_parts_without_gradients_have_none_here_either(tmp_path: Path) -> None:
    """The logits are the same, and so are the gradients, which ignore the weights' dependence on the pixels."""
    original = WithoutGradients().eval().requires_grad_(False)
    program = read_program(export(original, tmp_path / "small.pt2"))
    assert {node.no_grad for node in program.graph.nodes} == {True, False}
    assert_same(original, loaded(program), pictures(2))


class Rounding(nn.Module):
    """A network that rounds the pixels, as one that was trained on 8-bit inputs might; it has no gradients."""

    def forward(self, pixels: Tensor) -> Tensor:
        return (pixels * 255).to(torch.uint8).float().mean(dim=(2, 3))


def test_a_network_that_rounds_its_input_has_no_gradient(tmp_path: Path) -> None:
    network = loaded(read_program(export(Rounding(), tmp_path / "rounding.pt2")))
    logits = network(pictures(2).requires_grad_())
    assert torch.equal(logits, Rounding()(pictures(2))) and not logits.requires_grad


@pytest.mark.parametrize(
    "output",
    [lambda logits: {"logits": logits}, lambda logits: (logits,), lambda logits: [None, logits]],
    ids=["dictionary", "tuple", "list"],
)
def test_the_logits_may_be_in_a_collection(tmp_path: Path, output: Callable[[Tensor], object]) -> None:
    class Wrapped(Rounding):
        def forward(self, pixels: Tensor) -> object:  # type: ignore[override]
            return output(super().forward(pixels))

    network = loaded(read_program(export(Wrapped(), tmp_path / "wrapped.pt2")))
    assert torch.equal(network(pictures(2)), Rounding()(pictures(2)))


def test_tied_weights_and_weights_with_strides(tmp_path: Path) -> None:
    """Two layers share one weight, which lies in memory as channels last."""
    network = nn.Sequential(nn.Conv2d(3, 3, 3), nn.ReLU(), nn.Conv2d(3, 3, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    network[0].weight = network[2].weight
    network.to(memory_format=torch.channels_last).eval()
    program = read_program(export(network, tmp_path / "tied.pt2"))
    assert torch.equal(program.weights["0.weight"], program.weights["2.weight"])
    torch.testing.assert_close(loaded(program)(pictures(3)), network(pictures(3)))


def architecture(name: str, side: int) -> nn.Module:
    """Return a network of torchvision with seeded weights, whose logits depend on the pictures."""
    options = {"image_size": side} if name.startswith("vit") else {}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = get_model(name, weights=None, num_classes=4, **options)
        for layer in network.modules():
            if isinstance(layer, nn.Linear):
                nn.init.normal_(layer.weight, 0, layer.in_features**-0.5)
        network.eval().requires_grad_(False)
        return normalise_by(network, torch.rand(4, 3, side, side)) if "convnext" not in name else network


@pytest.mark.parametrize(
    ("name", "rows", "side"),
    [
        ("mobilenet_v2", None, 64),
        ("resnet18", 1, 64),
        pytest.param("resnet18", 2, 64, marks=pytest.mark.slow),
        pytest.param("shufflenet_v2_x0_5", None, 64, marks=pytest.mark.slow),
        pytest.param("regnet_y_400mf", 2, 64, marks=pytest.mark.slow),
        ("convnext_tiny", 1, 64),
        pytest.param("densenet121", None, 64, marks=pytest.mark.slow),
        pytest.param("efficientnet_b0", 1, 64, marks=pytest.mark.slow),
        pytest.param("swin_t", None, 64, marks=pytest.mark.slow),
        pytest.param("swin_t", 1, 64, marks=pytest.mark.slow),
        pytest.param("vit_b_16", None, 64, marks=pytest.mark.slow),
        pytest.param("vit_b_16", 2, 64, marks=pytest.mark.slow),
        pytest.param("maxvit_t", None, 224, marks=pytest.mark.slow),
    ],
)
def test_networks_of_torchvision(tmp_path: Path, name: str, rows: int | None, side: int) -> None:
    original = architecture(name, side)
    program = read_program(export(original, tmp_path / f"{name}.pt2", rows=rows, side=side))
    assert_same(original, loaded(program), pictures(3, side))

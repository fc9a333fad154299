"""Programs of torch.export as a source: their sizes, channels and classes, and what is said about them."""

import warnings
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from models import checkpoint
from models.classifier import Classifier
from models.program import held
from models.program import network as network_of_graphs
from models.program.graph import BadProgram
from models.unroll import flat
from tests.training.importing.programs.programs import SIDE, export, small
from training.importing.model import BadSource
from training.importing.sources import programs


class Flat(nn.Module):
    """Scores that are means of the channels, for pictures of any number of channels."""

    def __init__(self, channels: int, classes: int = 3) -> None:
        super().__init__()
        self.head = nn.Linear(channels, classes)

    def forward(self, pixels: Tensor) -> Tensor:
        return self.head(pixels.mean(dim=(2, 3)))


def write(network: nn.Module, file: Path, channels: int, height: int, width: int) -> Path:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.export.export(
            network.eval(), (torch.rand(2, channels, height, width),), dynamic_shapes=({0: torch.export.Dim("rows")},)
        )
        torch.export.save(program, file)
    return file


def test_a_program_says_its_size_and_the_number_of_its_classes(tmp_path: Path) -> None:
    """16 pixels are resized from 18 of them, in torchvision's proportion of 256 to 224."""
    network = small()
    model = programs.read(export(network, tmp_path / "small.pt2"), None)
    assert (model.spec.input_size, model.spec.resize) == (SIDE, 18)
    assert (model.spec.architecture, model.spec.classes) == ("exported", ("0", "1", "2", "3"))
    assert {key: model.source[key] for key in ("kind", "file", "licence", "versions")} == {
        "kind": "exported",
        "file": "small.pt2",
        "licence": "unknown",
        "versions": {"exported by torch": torch.__version__},
    }
    assert model.preprocessing is None and model.assumed == "torchvision's networks for ImageNet"
    pixels = torch.rand(3, 3, SIDE, SIDE)
    with torch.no_grad():
        torch.testing.assert_close(model.network(pixels), network(pixels), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("channels", "colours"), [(1, "L"), (2, "LA"), (3, "RGB"), (4, "RGBA")])
def test_programs_of_other_channels(tmp_path: Path, channels: int, colours: str) -> None:
    network = Flat(channels)
    model = programs.read(write(network, tmp_path / "p.pt2", channels, 24, 24), ("a", "b", "c"))
    assert model.spec.channel_names == colours and model.spec.classes == ("a", "b", "c")
    assert Classifier(model.network, model.spec).logits(torch.rand(2, 3, 24, 24)).shape == (2, 3)


def test_more_channels_are_no_picture(tmp_path: Path) -> None:
    with pytest.raises(BadSource, match=r"p\.pt2 takes 5 channels, and pictures have at most four"):
        programs.read(write(Flat(5), tmp_path / "p.pt2", 5, 24, 24), None)


def test_a_rectangular_input_is_not_cropped(tmp_path: Path) -> None:
    """Nobody knows in which proportion it was resized."""
    model = programs.read(write(Flat(3), tmp_path / "p.pt2", 3, 24, 48), None)
    assert (model.spec.input_size, model.spec.resize) == ((24, 48), (24, 48))


def test_one_output_is_a_label(tmp_path: Path) -> None:
    model = programs.read(write(Flat(3, 1), tmp_path / "p.pt2", 3, 24, 24), ("hot dog",))
    assert model.spec.multi_label and "one label" in model.warnings[0]


def test_values_may_be_larger_than_the_weights(tmp_path: Path) -> None:
    """A network of a thousand weights makes 1.6 million numbers of a picture; its checkpoint loads again."""
    network = nn.Sequential(nn.Conv2d(3, 32, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    network.append(nn.Linear(32, 3))
    program = torch.export.export(network.eval(), (torch.rand(2, 3, 224, 224),))
    torch.export.save(program, tmp_path / "p.pt2")
    model = programs.read(tmp_path / "p.pt2", ("a", "b", "c"))
    checkpoint.save(tmp_path / "p.safetensors", model.network, model.spec, {}, dtype=None)
    classifier, _ = checkpoint.load(tmp_path / "p.safetensors")
    pixels = torch.rand(1, 3, 224, 224)
    with torch.no_grad():
        torch.testing.assert_close(classifier.network[1](pixels), network(pixels), rtol=0, atol=1e-5)


def test_values_of_gigabytes_are_refused(tmp_path: Path) -> None:
    """They would be made in each pass, and the file is small."""

    class Huge(nn.Module):
        def forward(self, pixels: Tensor) -> Tensor:
            return pixels.mean(dim=(2, 3)) + torch.ones(10**6, 1000).sum() * 0

    torch.export.save(torch.export.export(Huge(), (torch.rand(2, 3, 64, 64),)), tmp_path / "p.pt2")
    with pytest.raises(BadProgram, match="makes a tensor of 1000000 x 1000 numbers, which is too large"):
        programs.read(tmp_path / "p.pt2", None)


def test_many_values_at_the_same_time_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Five of 4,000 bytes each, also beside a size that is known only with pixels.

    Views of one value count once, and values that are freed one after the other do not add up.
    """

    class Kept(nn.Module):
        def forward(self, pixels: Tensor) -> Tensor:
            return pixels.mean(dim=(2, 3)) + torch.cat([torch.ones(1000).sin() for _ in range(5)]).sum() * 0

    class OfUnknownSizes(Kept):
        def forward(self, pixels: Tensor) -> Tensor:
            return super().forward(pixels) + pixels[:, :, 0, 0].abs().nonzero().sum() * 0

    class Freed(nn.Module):
        def forward(self, pixels: Tensor) -> Tensor:
            scores = pixels.mean(dim=(2, 3))
            for _ in range(9):
                scores = scores + torch.ones(1000).sin().sum() * 0
            return scores

    class Views(nn.Module):
        def forward(self, pixels: Tensor) -> Tensor:
            values = torch.ones(1000).sin()
            return pixels.mean(dim=(2, 3)) + sum(values[index:].sum() for index in range(9)) * 0

    monkeypatch.setattr(held, "LARGEST_PASS", 20_000)
    for module in (Kept(), OfUnknownSizes(), Freed(), Views()):
        torch.export.save(torch.export.export(module, (torch.rand(2, 3, 16, 16),)), tmp_path / "p.pt2")
        if isinstance(module, Kept):
            with pytest.raises(
                BadProgram,
                match="GiB of values at the same time, too many: write it with smaller ones, or for fewer pictures at",
            ):
                programs.read(tmp_path / "p.pt2", None)
        else:
            programs.read(tmp_path / "p.pt2", None)


def test_sizes_that_depend_on_pixels_are_limited_in_every_pass(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A few positive pixels make a table of their squares. With pixels of 0, as in the first pass, it is empty."""

    class Squares(nn.Module):
        def forward(self, pixels: Tensor) -> Tensor:
            rows = (pixels[:, 0] > 0.5).nonzero()[:, 0].float()
            return pixels.mean(dim=(2, 3)) + (rows[:, None] * rows[None]).sum() * 0

    monkeypatch.setattr(network_of_graphs, "LARGEST_VALUE", 10_000)
    model = programs.read(write(Squares(), tmp_path / "p.pt2", 3, 16, 16), ("a", "b", "c"))
    network = Classifier(model.network, model.spec)
    pixels = torch.zeros(2, 3, 16, 16)
    pixels[:, :, :5, :10] = 1  # 100 rows: a table of 10,000
    torch.testing.assert_close(network.logits(pixels)[0], network.network(pixels)[0])
    pixels[0, 0, 8, 8] = 1
    with pytest.raises(torch.OutOfMemoryError, match="makes a tensor of 101 x 101 numbers"):
        network.logits(pixels)
    with pytest.raises(TypeError, match=r"torch\.fx cannot follow"):  # the function that it makes would have no limit
        flat(model.network)


@pytest.mark.parametrize("fixed_rows", [True, False])
def test_what_hooks_return_does_not_count_again_and_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fixed_rows: bool
) -> None:
    """Of eight layers of 6 or 10 kB after each other, two at most have values at the same time."""

    class Deep(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layers = nn.Sequential(*(nn.Conv2d(3, 5, 1) if k % 2 == 0 else nn.Conv2d(5, 3, 1) for k in range(8)))

        def forward(self, pixels: Tensor) -> Tensor:
            return self.layers(pixels).mean(dim=(2, 3)) + pixels[:, :, 0, 0].abs().nonzero().sum() * 0

    if fixed_rows:
        torch.export.save(torch.export.export(Deep(), (torch.rand(1, 3, 16, 16),)), tmp_path / "p.pt2")
        model = programs.read(tmp_path / "p.pt2", ("a", "b", "c"))
    else:
        model = programs.read(write(Deep(), tmp_path / "p.pt2", 3, 16, 16), ("a", "b", "c"))
    pixels = torch.rand(2, 3, 16, 16)
    before = model.network(pixels)
    monkeypatch.setattr(held, "LARGEST_PASS", 40_000)
    for layer in model.network.layers.children():
        layer.register_forward_hook(lambda _, inputs, output: output.clone())
    torch.testing.assert_close(model.network(pixels), before)
    monkeypatch.setattr(held, "LARGEST_PASS", 10_000)
    with pytest.raises(torch.OutOfMemoryError, match="values at the same time"):
        model.network(pixels)

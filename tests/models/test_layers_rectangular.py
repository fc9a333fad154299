"""Tests the layers of networks with rectangular inputs, with tokens beside the picture's, or of probabilities."""

from collections.abc import Sequence

import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st
from torch import Tensor, nn

from models.classifier import Classifier
from models.features import features
from models.layers import SKIPPED, layers, maps
from models.network_ends import Normalize
from models.preprocessing import preprocess, to_float
from models.run import run
from models.spec import Spec
from tests.conftest import Draw


def pair(height: int, width: int, channels: int = 3) -> Tensor:
    return torch.rand(2, channels, height, width, generator=torch.Generator().manual_seed(0))


def shapes(network: nn.Module, *size: int) -> dict[str, tuple[int, int, int, bool]]:
    """Channels, height, width and channels_last of each layer, by its name."""
    return {
        layer.name: (layer.channels, layer.height, layer.width, layer.channels_last)
        for layer in layers(network, pair(*size))
    }


class ChannelsLast(nn.Module):
    """A convolution with a stride, the same values as [n, h, w, c] through a Linear, and a head that pools."""

    def __init__(self, channels: int, stride: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, channels, stride, stride=stride)
        self.last = nn.Linear(channels, channels)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.head = nn.Linear(channels, 2)

    def forward(self, pixels: Tensor) -> Tensor:
        values = self.last(self.first(pixels).permute(0, 2, 3, 1))
        return self.head(self.pool(values.permute(0, 3, 1, 2)).flatten(1))


class Tokens(nn.Module):
    """A small ViT without attention: patches of 16 pixels become tokens after `extra` others, from left to right."""

    def __init__(self, extra: int) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, 8, 16, stride=16)
        self.extra = nn.Parameter(torch.zeros(1, extra, 8))
        self.block = nn.Linear(8, 8)
        self.head = nn.Linear(8, 2)

    def forward(self, pixels: Tensor) -> Tensor:
        tokens = self.patches(pixels).flatten(2).transpose(1, 2)
        return self.head(self.block(torch.cat([self.extra.expand(len(pixels), -1, -1), tokens], dim=1)).mean(dim=1))


@pytest.mark.parametrize("size", [(32, 48), (64, 96), (96, 64), (48, 160), (64, 64)])
@pytest.mark.parametrize("channels", [2, 4, 6, 12, 16, 24])
def test_maps_have_the_height_and_width_of_the_input(channels: int, size: tuple[int, int]) -> None:
    """With 16 pixels to a value; the order is recognised although channels may equal the height, the width or both."""
    height, width = size[0] // 16, size[1] // 16
    found = shapes(ChannelsLast(channels, 16), *size)
    assert found["first"] == (channels, height, width, False)
    assert found["last"] == (channels, height, width, True)
    assert found["pool"][:3] == (channels, 1, 1) and found["head"][:3] == (2, 1, 1)


@given(height=st.integers(2, 8), width=st.integers(2, 8), channels=st.integers(2, 20), stride=st.sampled_from([8, 16]))
def test_the_order_of_channels_is_recognised_for_any_proportions(
    height: int, width: int, channels: int, stride: int
) -> None:
    found = shapes(ChannelsLast(channels, stride), height * stride, width * stride)
    assert found["first"] == (channels, height, width, False)
    assert found["last"] == (channels, height, width, True)


@pytest.mark.parametrize("size", [(75, 110), (110, 75), (33, 130)])
def test_sides_that_are_rounded_keep_the_order_of_channels(size: tuple[int, int]) -> None:
    """A stride of 4 leaves out up to three pixels of each side."""
    found = shapes(ChannelsLast(24, 4), *size)
    assert found["first"] == (24, size[0] // 4, size[1] // 4, False)
    assert found["last"] == (24, size[0] // 4, size[1] // 4, True)


@pytest.mark.parametrize("extra", SKIPPED)
@pytest.mark.parametrize("size", [(32, 48), (48, 32), (64, 160), (64, 64), (256, 128)])
def test_tokens_become_maps_of_the_proportions_of_the_input(size: tuple[int, int], extra: int) -> None:
    """Patches of 16 pixels; the tokens before them (a class token, registers) are left out."""
    found = shapes(Tokens(extra), *size)
    expected = (8, size[0] // 16, size[1] // 16, False)
    assert found["patches"] == found["block"] == expected


@given(height=st.integers(1, 30), width=st.integers(1, 30), extra=st.sampled_from(SKIPPED))
def test_the_token_of_each_patch_is_at_its_place(height: int, width: int, extra: int) -> None:
    """The values of the tokens are their numbers, which the map has row by row after the skipped ones."""
    assume(height * width > 9)  # a few tokens may fill another map, such as 4 + 5 tokens a square of 3 x 3
    tokens = torch.arange(-extra, height * width).float().reshape(1, -1, 1).expand(2, -1, 3)
    expected = torch.arange(height * width).float().reshape(height, width)
    assert torch.equal(maps(tokens, height / width)[1, 2], expected)


def test_tokens_that_fill_no_map_are_a_column() -> None:
    """11 tokens of a picture twice as wide as high: the nearest map, 2 x 4, has 8, and no kind of start has 3."""
    assert maps(torch.zeros(2, 11, 3), 0.5).shape == (2, 3, 11, 1)


def test_a_layer_makes_maps_of_its_own_tokens() -> None:
    """Gradients flow back to the tokens of the patches, and to no other."""
    layer = layers(Tokens(5), pair(32, 48)).find("block")
    values = torch.zeros(1, 11, 8, requires_grad=True)
    assert layer.maps(values).shape == (1, 8, 2, 3)
    layer.maps(values)[0, 4, 1, 2].backward()
    assert values.grad is not None and values.grad.nonzero().tolist() == [[0, 10, 4]]


class Outputs(nn.Module):
    """A convolution, a layer whose output is not used, and a head with a last function."""

    def __init__(self, last: nn.Module) -> None:
        super().__init__()
        self.convolution, self.unused = nn.Conv2d(3, 4, 3, padding=1), nn.Conv2d(3, 4, 1)
        self.head, self.last = nn.Linear(4, 3), last

    def forward(self, pixels: Tensor) -> Tensor:
        self.unused(pixels)
        return self.last(self.head(self.convolution(pixels).mean(dim=(2, 3))))


class Rounded(nn.Module):
    def forward(self, values: Tensor) -> Tensor:
        return values.detach().round()


@pytest.mark.parametrize("last", [nn.Softmax(dim=1), nn.Sigmoid(), nn.LogSoftmax(dim=1)])
def test_probabilities_depend_on_the_layers_before_them(last: nn.Module) -> None:
    """The sum of a softmax is always 1, and yet each of its values depends on the picture."""
    torch.manual_seed(0)
    found = {layer.name: layer.decides for layer in layers(Outputs(last), pair(16, 24))}
    assert found == {"convolution": True, "unused": False, "head": True, "last": True}


def test_without_gradients_all_layers_are_taken_to_decide() -> None:
    found = layers(Outputs(Rounded()), pair(16, 24), differentiable=False)
    assert [(layer.name, layer.decides) for layer in found] == [
        ("unused", True),
        ("convolution", True),
        ("head", True),
        ("last", True),
    ]
    assert (found[1].channels, found[1].height, found[1].width) == (4, 16, 24)


def test_the_layers_of_a_classifier_are_those_at_its_input_size(draw: Draw) -> None:
    """A network with two channels for grey pictures, grey and opacity, of 32 x 80 pixels."""
    spec = Spec("x", ("a", "b"), input_size=(32, 80), resize=(32, 80), colours="LA", mean=(0.5, 0.0), std=(0.5, 1.0))
    network = nn.Sequential(nn.Conv2d(2, 4, 8, stride=8), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 2))
    classifier = Classifier(network, spec)
    sizes: Sequence[tuple[int, int]] = [(layer.height, layer.width) for layer in classifier.layers]
    assert sizes == [(4, 10), (1, 1), (1, 1)]
    result = run(features(draw(50, 50), spec, classifier.layers[0]), classifier)
    assert result.maps.shape == (4, 4, 10) and result.network_input.shape == (3, 32, 80)
    grey = Normalize(spec)(preprocess(to_float(draw(50, 50)).unsqueeze(0), spec))
    expected = network[0](grey)[0, [channel.channel for channel in result.shown]]
    torch.testing.assert_close(result.maps, expected)

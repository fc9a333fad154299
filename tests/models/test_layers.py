"""Tests the layers of a network: their names and shapes, their activations, and gradients with respect to them."""

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import relu
from torchvision.models import get_model

from models import architectures
from models.classifier import Classifier
from models.layers import UnknownLayer, layers, maps
from models.query import Query
from models.spec import Spec
from tests.networks import TwoChannelNetwork, unnormalised


@pytest.fixture
def pool() -> Classifier:
    return Classifier(TwoChannelNetwork(), unnormalised(2, 16))


def test_layers_are_listed_with_their_shapes(pool: Classifier) -> None:
    """Layers are in the order of the forward pass, with their channels, height and width."""
    descriptions = [(layer.name, layer.kind, layer.channels, layer.height, layer.width) for layer in pool.layers]
    assert descriptions == [
        ("convolution", "Conv2d", 2, 16, 16),
        ("relu", "ReLU", 2, 16, 16),
        ("head", "Linear", 2, 1, 1),
    ]
    assert pool.layers.last_map == pool.layers[1]


def test_activations_of_a_layer(pool: Classifier) -> None:
    """Green of 0.6 gives 0.2 and -0.5 before the ReLU, which works in place, and 0.2 and 0 after it."""
    pixels = torch.zeros(1, 3, 16, 16)
    pixels[:, 1] = 0.6  # green
    for layer, values in (("convolution", [0.2, -0.5]), ("relu", [0.2, 0.0])):
        (answer,) = pool.answer([Query(pixels, layer=layer)])
        assert answer.activations is not None and answer.gradients is None and answer.activation_gradients is None
        torch.testing.assert_close(answer.activations.mean(dim=(2, 3)), torch.tensor([values]))
        torch.testing.assert_close(answer.logits, torch.tensor([[0.4, 0.0]]))


def test_gradients_with_respect_to_a_layer(pool: Classifier) -> None:
    """After the ReLU the gradient is the head's weight 3 over 256 pixels; before it 0, since the input is negative."""
    pixels = torch.full((1, 3, 16, 16), 0.2)
    for layer, gradient in (("convolution", 0.0), ("relu", 3 / 256)):
        (answer,) = pool.answer([Query(pixels, lambda logits: logits[:, 1], layer)])
        assert answer.activation_gradients is not None
        torch.testing.assert_close(answer.activation_gradients[0, 1], torch.full((16, 16), gradient))
        assert not answer.activation_gradients[0, 0].any()


def test_gradients_of_an_objective_within_a_layer(pool: Classifier) -> None:
    """The objective is the mean of the first channel, so the gradient is 1/3 per colour over 256 pixels."""
    query = Query(torch.rand(3, 3, 16, 16), lambda values: values[:, 0].mean(dim=(1, 2)), "convolution", within=True)
    (answer,) = pool.answer([query])
    assert answer.gradients is not None and answer.losses is not None and answer.activation_gradients is None
    torch.testing.assert_close(answer.gradients, torch.full((3, 3, 16, 16), 1 / 3 / 256))
    torch.testing.assert_close(answer.losses, query.pixels.mean(dim=(1, 2, 3)))


def test_queries_of_all_kinds_in_one_batch_are_answered_as_alone(tiny: Classifier) -> None:
    """The batch asks for logits, for gradients, for activations of two layers, and for an objective within a layer."""
    random = torch.Generator().manual_seed(0)

    def pixels(rows: int) -> Tensor:
        return torch.rand(rows, 3, 32, 32, generator=random)

    queries = [
        Query(pixels(2)),
        Query(pixels(1), lambda logits: logits[:, 2]),
        Query(pixels(3), layer="3"),
        Query(pixels(2), lambda logits: logits[:, 1], "0"),
        Query(pixels(1), lambda values: values[:, 5].amax(dim=(1, 2)), "3", within=True),
    ]
    for query, together in zip(queries, tiny.answer(queries), strict=True):
        (alone,) = tiny.answer([query])
        for name in ("logits", "losses", "gradients", "activations", "activation_gradients"):
            expected, actual = getattr(alone, name), getattr(together, name)
            assert (expected is None) == (actual is None), name
            if expected is not None:
                torch.testing.assert_close(actual, expected, rtol=1e-4, atol=1e-5)


def test_parts_of_a_query_have_the_same_layer_and_gradients(tiny: Classifier) -> None:
    query = Query(torch.rand(5, 3, 32, 32), lambda values: values[:, 0].mean(dim=(1, 2)), "0", within=True, apart=True)
    halves = query.parts(3)
    assert all((half.layer, half.within, half.apart) == ("0", True, True) for half in halves)
    (whole,) = tiny.answer([query])
    gradients_of_halves = torch.cat([tiny.answer([half])[0].gradients for half in halves])
    torch.testing.assert_close(gradients_of_halves, whole.gradients)


def test_no_hook_is_left_after_an_answer(pool: Classifier) -> None:
    pool.answer([Query(torch.rand(1, 3, 16, 16), layer="relu")])
    assert not any(module._forward_hooks for module in pool.network.modules())


def test_layers_that_share_a_module_are_left_out() -> None:
    """A block of ResNet calls one ReLU twice, so the name of the ReLU would mean two outputs."""
    network = architectures.build("resnet18", 4)
    names = [layer.name for layer in layers(network, torch.zeros(2, 3, 64, 64))]
    assert "layer1.0.relu" not in names
    assert {"layer1.0.conv1", "layer1.0", "layer4", "avgpool", "fc"} <= set(names)


@pytest.mark.parametrize(
    ("architecture", "name", "shape"),
    [
        ("mobilenet_v3_small", "features.12", (576, 2, 2)),
        ("convnext_tiny", "features.1.0.block.3", (384, 16, 16)),  # a Linear: channels last
        ("swin_t", "features.1.0", (96, 16, 16)),  # channels last throughout
        ("vit_b_16", "encoder.layers.encoder_layer_3", (768, 4, 4)),  # 17 tokens, the first of which is the class's
        ("squeezenet1_1", "features.12", (512, 3, 3)),
    ],
)
def test_shapes_of_real_networks(architecture: str, name: str, shape: tuple[int, int, int]) -> None:
    extra = {"image_size": 64} if architecture.startswith("vit") else {}
    network = get_model(architecture, weights=None, num_classes=4, **extra).eval()
    layer = layers(network, torch.zeros(2, 3, 64, 64)).find(name)
    assert (layer.channels, layer.height, layer.width) == shape


class Cubes(nn.Module):
    """A convolution and a channels-last Linear whose outputs both are 16 x 16 x 16, followed by the given head."""

    def __init__(self, head: nn.Module, *, one_size: bool = False) -> None:
        super().__init__()
        self.first, self.last, self.head, self.one_size = nn.Conv2d(3, 16, 1), nn.Linear(16, 16), head, one_size

    def forward(self, pixels: Tensor) -> Tensor:
        assert not self.one_size or pixels.shape[3] == 16, "one size alone"
        return self.head(self.last(self.first(pixels).permute(0, 2, 3, 1)))


def test_channels_last_is_recognised_by_a_wider_picture() -> None:
    """Where channels, height and width all are 16, a wider picture shows the order; else channels come first."""
    pair = torch.rand(2, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    for head in (nn.AdaptiveAvgPool3d(1), nn.Sequential(nn.Flatten(), nn.Linear(4096, 2))):
        channels_last = {layer.name: layer.channels_last for layer in layers(Cubes(head), pair)}
        assert (channels_last["first"], channels_last["last"]) == (False, True)
        assert not any(layer.channels_last for layer in layers(Cubes(head, one_size=True), pair))


def test_tokens_become_maps() -> None:
    """Of 1 + 4 tokens with the values 0 to 4, the class token 0 is dropped and the others form a 2 x 2 map."""
    tokens = torch.arange(5.0).reshape(1, 5, 1).expand(2, 5, 3)
    assert maps(tokens).shape == (2, 3, 2, 2)
    assert maps(tokens)[1, 2].tolist() == [[1.0, 2.0], [3.0, 4.0]]
    assert maps(tokens[:, 1:])[0, 0].tolist() == [[1.0, 2.0], [3.0, 4.0]]
    assert maps(torch.zeros(2, 7, 3)).shape == (2, 3, 7, 1)


def test_the_mean_of_all_tokens_is_one_pixel() -> None:
    """transformers' Swin pools tokens to [n, c, 1] by a layer, which are no c tokens of one channel."""
    pooled = torch.rand(2, 192, 1)
    assert torch.equal(maps(pooled), pooled[..., None]) and maps(pooled).shape == (2, 192, 1, 1)


def test_gradients_flow_through_maps() -> None:
    values = torch.zeros(1, 5, 5, 8, requires_grad=True)
    relu(maps(values, channels_last=True)[0, 3, 1, 2] + 1).backward()
    assert values.grad is not None and values.grad.nonzero().tolist() == [[0, 1, 2, 3]]


def test_unknown_layers_and_channels_are_refused(pool: Classifier) -> None:
    with pytest.raises(UnknownLayer, match="similar names: convolution"):
        pool.layers.find("convolutio")
    with pytest.raises(UnknownLayer, match="similar names: convolution, relu"):
        pool.layers.find("x" * 10_000)
    with pytest.raises(UnknownLayer, match="0 to 1"):
        pool.layers.find("relu").check_channel(2)
    with pytest.raises(UnknownLayer, match="0 to 1"):
        pool.layers.find("relu").check_channel(-1)


def test_layers_are_those_of_the_network_not_of_its_spec() -> None:
    """The spec names another architecture, but layers are read from the network itself."""
    classifier = Classifier(TwoChannelNetwork(), Spec("resnet18", ("a", "b"), input_size=32, resize=32))
    assert classifier.layers.find("relu").height == 32

"""The parts of a network by name: their shapes by hand, what a pass shows of them, and gradients towards them."""

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import relu

from models import architectures
from models.classifier import Classifier
from models.layers import UnknownLayer, layers, maps
from models.query import Query
from models.spec import Spec
from tests.networks import TwoChannelNetwork, unnormalised


@pytest.fixture
def pool() -> Classifier:
    return Classifier(TwoChannelNetwork(), unnormalised(2, 16))


def test_layers_by_hand(pool: Classifier) -> None:
    """In the order of a pass, each with channels, height and width."""
    told = [(each.name, each.kind, each.channels, each.height, each.width) for each in pool.layers]
    assert told == [("convolution", "Conv2d", 2, 16, 16), ("relu", "ReLU", 2, 16, 16), ("head", "Linear", 2, 1, 1)]
    assert pool.layers.last_map == pool.layers[1]


def test_what_a_pass_shows_by_hand(pool: Classifier) -> None:
    """Before the ReLU, which works in place, red minus a half is negative; after it, 0."""
    pixels = torch.zeros(1, 3, 16, 16)
    pixels[:, 1] = 0.6  # green
    for layer, values in (("convolution", [0.2, -0.5]), ("relu", [0.2, 0.0])):
        (answer,) = pool.answer([Query(pixels, layer=layer)])
        assert answer.activations is not None and answer.gradients is None and answer.activation_gradients is None
        torch.testing.assert_close(answer.activations.mean(dim=(2, 3)), torch.tensor([values]))
        torch.testing.assert_close(answer.logits, torch.tensor([[0.4, 0.0]]))


def test_gradients_towards_a_layer_by_hand(pool: Classifier) -> None:
    """The head's weight over 256 pixels, and nothing through the ReLU of what is negative."""
    pixels = torch.full((1, 3, 16, 16), 0.2)
    for layer, slope in (("convolution", 0.0), ("relu", 3 / 256)):
        (answer,) = pool.answer([Query(pixels, lambda logits: logits[:, 1], layer)])
        assert answer.activation_gradients is not None
        torch.testing.assert_close(answer.activation_gradients[0, 1], torch.full((16, 16), slope))
        assert not answer.activation_gradients[0, 0].any()


def test_an_objective_within_a_layer_by_hand(pool: Classifier) -> None:
    """The mean of the first channel: a third per colour, over 256 pixels; the logits do not matter."""
    query = Query(torch.rand(3, 3, 16, 16), lambda values: values[:, 0].mean(dim=(1, 2)), "convolution", within=True)
    (answer,) = pool.answer([query])
    assert answer.gradients is not None and answer.losses is not None and answer.activation_gradients is None
    torch.testing.assert_close(answer.gradients, torch.full((3, 3, 16, 16), 1 / 3 / 256))
    torch.testing.assert_close(answer.losses, query.pixels.mean(dim=(1, 2, 3)))


def test_all_kinds_of_queries_in_one_pass(tiny: Classifier) -> None:
    """Each is answered as it is alone: logits only, gradients, two layers watched, an objective within one."""
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
            expected, found = getattr(alone, name), getattr(together, name)
            assert (expected is None) == (found is None), name
            if expected is not None:
                torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


def test_halves_ask_the_same_of_a_layer(tiny: Classifier) -> None:
    query = Query(torch.rand(5, 3, 32, 32), lambda values: values[:, 0].mean(dim=(1, 2)), "0", within=True, apart=True)
    halves = query.halves()
    assert all((half.layer, half.within, half.apart) == ("0", True, True) for half in halves)
    (whole,) = tiny.answer([query])
    found = torch.cat([tiny.answer([half])[0].gradients for half in halves])
    torch.testing.assert_close(found, whole.gradients)


def test_no_hook_stays_behind(pool: Classifier) -> None:
    pool.answer([Query(torch.rand(1, 3, 16, 16), layer="relu")])
    assert not any(module._forward_hooks for module in pool.network.modules())


def test_layers_that_share_a_module_are_left_out() -> None:
    """ResNet's blocks call one ReLU twice: which of the two outputs would its name mean?"""
    network = architectures.build("resnet18", 4)
    found = [layer.name for layer in layers(network, torch.zeros(2, 3, 64, 64))]
    assert "layer1.0.relu" not in found
    assert {"layer1.0.conv1", "layer1.0", "layer4", "avgpool", "fc"} <= set(found)


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
    network = architectures.get_model(architecture, weights=None, num_classes=4, **extra).eval()
    layer = layers(network, torch.zeros(2, 3, 64, 64)).find(name)
    assert (layer.channels, layer.height, layer.width) == shape


class Cubes(nn.Module):
    """16 channels of 16 x 16 pixels, by a convolution and then, channels last, by a Linear; and a head."""

    def __init__(self, head: nn.Module, *, one_size: bool = False) -> None:
        super().__init__()
        self.first, self.last, self.head, self.one_size = nn.Conv2d(3, 16, 1), nn.Linear(16, 16), head, one_size

    def forward(self, pixels: Tensor) -> Tensor:
        assert not self.one_size or pixels.shape[3] == 16, "one size alone"
        return self.head(self.last(self.first(pixels).permute(0, 2, 3, 1)))


def test_a_wider_picture_tells_channels_from_rows() -> None:
    """Where all three are 16, whatever the head takes; a network that takes no wider picture is read as most are."""
    pair = torch.rand(2, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    for head in (nn.AdaptiveAvgPool3d(1), nn.Sequential(nn.Flatten(), nn.Linear(4096, 2))):
        found = {layer.name: layer.channels_last for layer in layers(Cubes(head), pair)}
        assert (found["first"], found["last"]) == (False, True)
        assert not any(layer.channels_last for layer in layers(Cubes(head, one_size=True), pair))


def test_maps_of_tokens() -> None:
    """Token t of 1 + 4 holds t: the class token 0 is left out, the others lie in rows."""
    tokens = torch.arange(5.0).reshape(1, 5, 1).expand(2, 5, 3)
    assert maps(tokens).shape == (2, 3, 2, 2)
    assert maps(tokens)[1, 2].tolist() == [[1.0, 2.0], [3.0, 4.0]]
    assert maps(tokens[:, 1:])[0, 0].tolist() == [[1.0, 2.0], [3.0, 4.0]]
    assert maps(torch.zeros(2, 7, 3)).shape == (2, 3, 7, 1)


def test_a_gradient_goes_through_maps() -> None:
    values = torch.zeros(1, 5, 5, 8, requires_grad=True)
    relu(maps(values, channels_last=True)[0, 3, 1, 2] + 1).backward()
    assert values.grad is not None and values.grad.nonzero().tolist() == [[0, 1, 2, 3]]


def test_names_that_are_not_there(pool: Classifier) -> None:
    with pytest.raises(UnknownLayer, match="near are: convolution"):
        pool.layers.find("convolutio")
    with pytest.raises(UnknownLayer, match="near are: convolution, relu"):
        pool.layers.find("x" * 10_000)
    with pytest.raises(UnknownLayer, match="0 to 1"):
        pool.layers.find("relu").check_channel(2)
    with pytest.raises(UnknownLayer, match="0 to 1"):
        pool.layers.find("relu").check_channel(-1)


def test_a_spec_of_another_architecture_does_not_matter() -> None:
    """Layers are those of the network that there is."""
    classifier = Classifier(TwoChannelNetwork(), Spec("resnet18", ("a", "b"), input_size=32, resize=32))
    assert classifier.layers.find("relu").height == 32

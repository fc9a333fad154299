"""torchvision's networks by name: as its published weights need them, and for other numbers of channels."""

import pytest
import torch
from torch import Tensor, nn
from torchvision.models import get_model

from models.architectures import (
    BadConfiguration,
    UnknownArchitecture,
    architectures,
    build,
    head,
    load_backbone,
    load_exactly,
    of_size,
    set_head,
    weight_choices,
)
from models.architectures.without_memory import without_memory
from models.classifier import Classifier
from models.network_ends import Normalize
from models.spec import Spec
from models.store import imagenet_spec
from tests.models.architectures.families import FAMILIES, first_convolution, lively, noise

COLOUR, GREY = ((0.4,) * 3, (0.25,) * 3), ((0.4,), (0.25,))
"""Mean and standard deviation of the normalisation: the same value for all three colours, and for one grey channel."""


def test_every_family_is_represented() -> None:
    """Every classifier of torchvision that is not in FAMILIES is another size of a family that is."""
    families = {name.split("_")[0].rstrip("0123456789") for name in FAMILIES} | {"wide", "resnext"}
    assert {name.split("_")[0].rstrip("0123456789") for name in architectures()} - {
        "resnext101",
        "resnext50",
    } <= families


@pytest.mark.parametrize("name", ["mobilenet_v2", "squeezenet1_1", "resnet18"])
def test_the_published_network_has_the_logits_of_torchvisions(name: str) -> None:
    """With the same weights and 1000 classes, the logits equal those of the network that torchvision builds."""
    theirs = get_model(name, weights=None).eval()
    ours = build(name, 1000, published=True)
    load_exactly(ours, theirs.state_dict())
    with torch.no_grad():
        assert torch.equal(ours(noise(1, 64)), theirs(noise(1, 64)))


@pytest.mark.parametrize("name", ["googlenet", "inception_v3"])
def test_networks_from_tensorflow_get_their_own_normalisation(name: str) -> None:
    """Their published weights expect (p - 0.5) / 0.5, so the first layer must get this after ImageNet's."""
    spec = imagenet_spec(name)
    network = build(name, 1000, published=True)
    inputs: list[Tensor] = []
    next(network.children()).register_forward_pre_hook(lambda _, arguments: inputs.append(arguments[0]))
    pixels = noise(1, 96)
    with torch.no_grad():
        network(Normalize(spec)(pixels))
    torch.testing.assert_close(inputs[0], (pixels - 0.5) / 0.5, rtol=0, atol=1e-5)


def test_a_published_maxvit_has_its_own_head() -> None:
    """torchvision's weights have no bias for the head, so a network whose head has one could not load them."""
    with torch.device("meta"):
        own, ours = get_model("maxvit_t", weights=None), build("maxvit_t", 1000, published=True)
    assert set(own.state_dict()) == set(ours.state_dict())


@pytest.mark.parametrize("name", ["", "resnet-18", "fcn_resnet50", "raft_large", "mobilenet_v2.", "../resnet18"])
def test_unknown_names_are_refused(name: str) -> None:
    """Also refused are networks of torchvision that are not classifiers; the message lists the known classifiers."""
    for use_name in (lambda: build(name, 3), lambda: weight_choices(name)):
        with pytest.raises(UnknownArchitecture, match="mobilenet_v2"):
            use_name()


def test_the_recommended_weights_come_first() -> None:
    assert [weights.name for weights in weight_choices("mobilenet_v2")] == ["IMAGENET1K_V2", "IMAGENET1K_V1"]
    assert next(weights.name for weights in weight_choices("resnet50")) == "IMAGENET1K_V2"


@pytest.mark.parametrize("name", [name for name in FAMILIES if not name.startswith("regnet")])
def test_every_family_can_read_one_channel(name: str) -> None:
    """Only the first convolution's weight has another shape, and a forward pass (on the meta device) gives 7 logits."""
    with torch.device("meta"):
        colour, grey = build(name, 7), build(name, 7, channels=1)
        scores = grey(torch.zeros(2, 1, FAMILIES[name], FAMILIES[name]))
    assert scores.shape == (2, 7) and not grey.training
    shapes = {key: value.shape for key, value in colour.state_dict().items()}
    differing = {key for key, value in grey.state_dict().items() if value.shape != shapes.pop(key)}
    assert len(differing) == 1 and not shapes
    one, three = first_convolution(grey), first_convolution(colour)
    assert one.weight.shape == (len(three.weight), 1, *three.kernel_size)
    assert (one.stride, one.padding) == (three.stride, three.padding)


def grey_twin(name: str, network: nn.Module) -> nn.Module:
    """Return a network with the same backbone and head that takes one channel."""
    twin = build(name, 3, channels=1)
    load_backbone(twin, network.state_dict())
    own = head(network)
    assert own.bias is not None
    set_head(twin, own.weight.detach().flatten(1), own.bias.detach())
    return twin


@pytest.mark.parametrize("name", ["squeezenet1_1", "mobilenet_v3_small", "resnet18", "googlenet"])
def test_a_one_channel_network_agrees_with_its_colour_original_on_grey_pictures(name: str) -> None:
    """With weights summed over the colours and one mean and std for all colours, grey pictures get the same result.

    For colours, GoogLeNet applies its own normalisation on top, so its grey mean and std are those of that one.
    """
    grey = noise(4, 64)[:, :1].expand(-1, 3, -1, -1)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = build(name, 3)
    specs = {
        channels: Spec(name, ("a", "b", "c"), input_size=64, resize=64, mean=mean, std=std)
        for channels, (mean, std) in ((3, COLOUR), (1, GREY))
    }
    if name == "googlenet":
        specs[3] = Spec(name, ("a", "b", "c"), input_size=64, resize=64)
        specs[1] = Spec(name, ("a", "b", "c"), input_size=64, resize=64, mean=(0.5,), std=(0.5,))
    lively(network, Normalize(specs[3])(grey))
    expected = Classifier(network, specs[3]).probabilities(grey)
    probabilities = Classifier(grey_twin(name, network), specs[1]).probabilities(grey)
    assert expected.std(dim=0).max() > 1e-4, "the pictures have different probabilities"
    torch.testing.assert_close(probabilities, expected, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize(
    ("architecture", "configuration"),
    [
        ("resnet18", {"image_size": 64}),
        ("resnet18", {"transform_input": True}),
        ("resnet18", {"weights": "DEFAULT"}),
        ("resnet18", {"published": 1}),
        ("resnet18", {"progress": False}),
        ("vit_b_32", {"image_size": "64"}),
        ("vit_b_32", {"image_size": True}),
        ("vit_b_32", {"image_size": 1_000_000}),
        ("vit_b_32", {"image_size": 0}),
        ("mobilenet_v2", {"weights_backbone": "DEFAULT"}),
    ],
)
def test_other_configurations_are_refused(architecture: str, configuration: dict[str, object]) -> None:
    """They may come from a file: none of them downloads weights or fills the memory."""
    (name,) = configuration
    with pytest.raises(BadConfiguration, match=f"{architecture} takes no {name}="):
        build(architecture, 3, configuration=configuration)


def test_a_vision_transformer_of_another_size_has_other_positions() -> None:
    """64 pixels are 2 x 2 patches of 32, and the class token comes on top."""
    network = build("vit_b_32", 3, configuration={"image_size": 64})
    assert network.encoder.pos_embedding.shape == (1, 5, 768)
    with torch.no_grad():
        assert network(noise(1, 64)).shape == (1, 3)


@pytest.mark.parametrize("name", [name for name in architectures() if name.startswith("vit_")])
def test_published_weights_of_vision_transformers_are_of_several_sizes(name: str) -> None:
    """The spec of each has the configuration with which the network takes its pictures: a position for each patch."""
    for weights in weight_choices(name):
        spec = imagenet_spec(name, weights)
        with without_memory():
            network = build(name, 3, configuration=spec.configuration)
        assert network.encoder.pos_embedding.shape[1] == (spec.side // network.patch_size) ** 2 + 1
    assert of_size(name, 224) == {} and of_size(name, 384) == {"image_size": 384} and of_size("resnet18", 384) == {}


@pytest.mark.parametrize(("configuration", "scales"), [({}, True), ({"transform_input": False}, False)])
def test_whether_a_network_from_tensorflow_scales_its_input(configuration: dict[str, bool], scales: bool) -> None:
    """By default it makes values of -1 to 1 from ImageNet's normalisation; imported ones get them as they are."""
    network = build("googlenet", 3, configuration=configuration)
    inputs: list[Tensor] = []
    next(network.children()).register_forward_pre_hook(lambda _, arguments: inputs.append(arguments[0]))
    with torch.no_grad():
        network(noise(1, 64))
    assert torch.equal(inputs[0], noise(1, 64)) != scales

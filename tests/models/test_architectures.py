"""Tests networks built by name: torchvision's families, their heads and features, and loading weights into them."""

import pytest
import torch
from torch import Tensor, nn
from torchvision.models import get_model

from models.architectures import (
    BadWeights,
    UnknownArchitecture,
    architectures,
    build,
    features,
    head,
    head_name,
    load_backbone,
    load_exactly,
    set_head,
    weight_choices,
)
from models.classifier import Classifier
from models.network_ends import Normalize
from models.spec import Spec
from models.store import imagenet_spec

# One of each family, the smallest that torchvision has, with the smallest input that it takes.
FAMILIES = {
    "convnext_tiny": 32,
    "densenet121": 32,
    "efficientnet_b0": 32,
    "googlenet": 32,
    "mnasnet0_5": 32,
    "mobilenet_v2": 32,
    "mobilenet_v3_small": 32,
    "regnet_y_400mf": 32,
    "resnet18": 32,
    "shufflenet_v2_x0_5": 32,
    "squeezenet1_1": 32,
    "swin_t": 32,
    "swin_v2_t": 64,
    "alexnet": 64,
    "efficientnet_v2_s": 32,
    "inception_v3": 75,
    "maxvit_t": 224,
    "vgg11": 32,
    "vit_b_32": 224,
}
HEAVY = {"efficientnet_v2_s", "inception_v3", "vgg11", "vit_b_32"}
FAMILY_PARAMETERS = [pytest.param(name, marks=pytest.mark.slow if name in HEAVY else []) for name in FAMILIES]


COLOUR, GREY = ((0.4,) * 3, (0.25,) * 3), ((0.4,), (0.25,))
"""Mean and standard deviation of the normalisation: the same value for all three colours, and for one grey channel."""


def noise(rows: int, side: int) -> Tensor:
    return torch.rand(rows, 3, side, side, generator=torch.Generator().manual_seed(0))


def test_every_family_is_represented() -> None:
    """Every classifier of torchvision that is not in FAMILIES is another size of a family that is."""
    families = {name.split("_")[0].rstrip("0123456789") for name in FAMILIES} | {"wide", "resnext"}
    assert {name.split("_")[0].rstrip("0123456789") for name in architectures()} - {
        "resnext101",
        "resnext50",
    } <= families


@pytest.mark.parametrize("name", [name for name in architectures() if not name.startswith("regnet")])
def test_every_head_has_one_row_and_one_bias_per_class(name: str) -> None:
    """Built on the meta device, which holds shapes but no values; only RegNet's constructor needs values."""
    with torch.device("meta"):
        network = build(name, 7)
    assert len(head(network).weight) == 7
    bias = head(network).bias
    assert bias is not None
    assert bias.shape == (7,)


@pytest.mark.parametrize("name", FAMILY_PARAMETERS)
def test_logits_are_the_head_applied_to_the_features(name: str) -> None:
    """In eval mode the logits are W features + b, for any W and b that a linear probe may set."""
    network, pixels = build(name, 3), noise(2, FAMILIES[name])
    assert not network.training
    with torch.no_grad():
        feature_vectors = features(network, pixels)
        # About half of the logits are negative, so an activation behind the head that cuts them off would be noticed.
        weight = (
            torch.randn(3, feature_vectors.shape[1], generator=torch.Generator().manual_seed(1))
            / feature_vectors.norm()
        )
        bias = torch.tensor([-1.0, 0.0, 1.0])
        set_head(network, weight, bias)
        torch.testing.assert_close(network(pixels), feature_vectors @ weight.T + bias, rtol=1e-4, atol=1e-4)


def test_features_leave_no_hook_behind(squeezenet: nn.Module) -> None:
    features(squeezenet, noise(1, 32))
    with pytest.raises(RuntimeError):
        features(squeezenet, noise(1, 32)[..., :1, :1])  # too small for its pooling
    assert not any(layer._forward_pre_hooks for layer in squeezenet.modules())


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


def test_the_backbone_is_loaded_and_the_head_is_not(squeezenet: nn.Module) -> None:
    """From a network of 5 classes into one of 3, all tensors are copied but the weight and bias of the head."""
    other = build("squeezenet1_1", 5)
    before = {key: value.clone() for key, value in squeezenet.state_dict().items()}
    load_backbone(squeezenet, other.state_dict())
    name = head_name(squeezenet)
    for key, value in squeezenet.state_dict().items():
        source = before if key.startswith(f"{name}.") else other.state_dict()
        assert torch.equal(value, source[key]), key


def test_a_backbone_with_a_missing_weight_is_refused(squeezenet: nn.Module) -> None:
    weights = dict(squeezenet.state_dict())
    del weights["features.3.squeeze.weight"]
    with pytest.raises(BadWeights, match=r"1 missing: features\.3\.squeeze\.weight"):
        load_backbone(squeezenet, weights)


def test_a_backbone_with_an_unknown_weight_is_refused(squeezenet: nn.Module) -> None:
    weights = {**squeezenet.state_dict(), "features.99.weight": torch.zeros(1)}
    with pytest.raises(BadWeights, match=r"1 unknown: features\.99\.weight"):
        load_backbone(squeezenet, weights)


def test_a_backbone_with_a_weight_of_another_shape_is_refused(squeezenet: nn.Module) -> None:
    weights = {**squeezenet.state_dict(), "features.0.bias": torch.zeros(1)}
    with pytest.raises(BadWeights, match=r"1 of another shape: features\.0\.bias"):
        load_backbone(squeezenet, weights)


def test_nothing_is_loaded_from_bad_weights(squeezenet: nn.Module) -> None:
    """When one weight is refused, all weights of the network stay unchanged."""
    before = {key: value.clone() for key, value in squeezenet.state_dict().items()}
    weights = {key: value + 1 for key, value in before.items()}
    with pytest.raises(BadWeights):
        load_backbone(squeezenet, {**weights, "more": torch.zeros(1)})
    assert all(torch.equal(value, before[key]) for key, value in squeezenet.state_dict().items())


def test_weights_of_another_architecture_name_the_first_few_faults(squeezenet: nn.Module) -> None:
    with pytest.raises(BadWeights, match="not of this architecture") as caught:
        load_exactly(squeezenet, build("mobilenet_v3_small", 3).state_dict())
    assert "missing" in str(caught.value)
    assert "unknown" in str(caught.value)
    assert len(str(caught.value)) < 600


def test_a_head_of_other_classes_is_not_loaded_exactly(squeezenet: nn.Module) -> None:
    with pytest.raises(BadWeights, match="of another shape"):
        load_exactly(squeezenet, build("squeezenet1_1", 5).state_dict())


def test_old_files_without_batch_norms_counters_load() -> None:
    """The counters are used only by a cumulative moving average during training, so a file may lack them."""
    network = build("mobilenet_v3_small", 3)
    weights = {key: value for key, value in network.state_dict().items() if not key.endswith("num_batches_tracked")}
    assert len(weights) < len(network.state_dict())
    load_exactly(network, weights)


# Networks with one input channel.


def first_convolution(network: nn.Module) -> nn.Conv2d:
    return next(layer for layer in network.modules() if isinstance(layer, nn.Conv2d))


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


def lively(network: nn.Module, pixels: Tensor) -> nn.Module:
    """Set the batch-norm statistics to those of the pixels; without, a random network passes on nearly no signal."""
    for layer in network.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.momentum = None
    with torch.no_grad():
        network.train()(pixels)
    return network.eval()


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


def test_a_one_channel_backbone_is_copied_into_a_one_channel_network() -> None:
    """The first convolution already has one channel, so its weight is copied unchanged."""
    source, target = build("squeezenet1_1", 5, channels=1), build("squeezenet1_1", 3, channels=1)
    load_backbone(target, source.state_dict())
    assert torch.equal(first_convolution(target).weight, first_convolution(source).weight)


@pytest.mark.parametrize("shape", [(64, 2, 3, 3), (64, 5, 3, 3), (64, 3, 5, 5), (64, 3), (64,), ()])
def test_a_first_weight_without_three_colours_is_refused(shape: tuple[int, ...]) -> None:
    """Only a weight for three colours can be summed to one for grey; any other shape belongs to another network."""
    network = build("squeezenet1_1", 3, channels=1)
    weights = {**build("squeezenet1_1", 3).state_dict(), "features.0.weight": torch.zeros(shape)}
    with pytest.raises(BadWeights, match=r"1 of another shape: features\.0\.weight"):
        load_backbone(network, weights)


def test_one_channel_weights_are_refused_by_a_colour_network() -> None:
    with pytest.raises(BadWeights, match=r"1 of another shape: features\.0\.weight"):
        load_backbone(build("squeezenet1_1", 3), build("squeezenet1_1", 3, channels=1).state_dict())

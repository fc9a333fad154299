"""What is recognised of torchvision's networks: other heads, other inputs, old names, and what is none of them."""

import re
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torchvision.models import GoogLeNet, Inception3

from models import architectures
from models.architectures.without_memory import without_memory
from tests.training.importing.weight_files import source_network
from training.importing.recognise import Recognised, Unrecognised, fit, recognise

Weights = dict[str, Tensor]


def sketch(name: str, classes: int = 7, **options: object) -> Weights:
    """Return the weights of a network without their values."""
    with without_memory():
        return dict(source_network(name, classes, **options).state_dict())


def renamed(weights: Weights, old: str, new: str) -> Weights:
    """Return the weights with other names, where a regular expression fits."""
    return {re.sub(old, new, key): tensor for key, tensor in weights.items()}


def loads(found: Recognised) -> nn.Module:
    """Return the network with these weights, which must be exactly its own."""
    network = architectures.build(
        found.architecture, found.outputs, channels=found.channels, configuration=found.configuration
    )
    architectures.load_exactly(network, found.weights)
    return network


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("resnet18", r"^fc\.", "fc.1."),
        ("resnet18", r"^fc\.", "fc.head.dense."),
        ("densenet121", r"^classifier\.", "classifier.0."),
        ("mobilenet_v2", r"^classifier\.1\.", "classifier.1.2."),
        ("mobilenet_v2", r"^classifier\.1\.", "classifier."),
        ("efficientnet_b0", r"^classifier\.1\.", "classifier."),
        ("vit_b_32", r"^heads\.head\.", "heads."),
        ("vit_b_32", r"^heads\.head\.", "heads.head.3."),
        ("vgg11", r"^classifier\.6\.", "classifier.6.1."),
    ],
)
def test_new_heads_inside_or_in_place_of_a_sequential(name: str, old: str, new: str) -> None:
    """As in `network.fc = nn.Sequential(nn.Dropout(), nn.Linear(512, 7))`, and `network.heads = nn.Linear(768, 7)`."""
    found = recognise(renamed(sketch(name), old, new))
    assert (found.architecture, found.outputs) == (name, 7)
    assert set(found.weights) == set(sketch(name))


@pytest.mark.parametrize("name", ["resnet18", "squeezenet1_1", "mobilenet_v3_small", "vit_b_32"])
def test_a_head_without_a_bias_gets_one_of_zeros(name: str) -> None:
    weights = sketch(name)
    with without_memory():
        head = architectures.head_name(architectures.build(name, 7))
    del weights[f"{head}.bias"]
    found = recognise(weights)
    assert (found.architecture, found.outputs) == (name, 7)
    assert torch.equal(found.weights[f"{head}.bias"], torch.zeros(7))


def test_a_new_head_of_maxvit_may_have_a_bias() -> None:
    """torchvision's own has none, and `nn.Linear(512, 7)` has one by default."""
    weights = {**sketch("maxvit_t"), "classifier.5.bias": torch.zeros(7)}
    for content, biased in ((weights, True), (sketch("maxvit_t"), False)):
        found = recognise(content)
        with without_memory():
            network = architectures.build("maxvit_t", 7, configuration=found.configuration)
        assert found.architecture == "maxvit_t" and (architectures.head(network).bias is not None) == biased


@pytest.mark.parametrize("channels", [1, 2, 4])
@pytest.mark.parametrize("name", ["resnet18", "mobilenet_v2", "vit_b_32"])
def test_one_two_and_four_input_channels(name: str, channels: int) -> None:
    """As after `network.conv1 = nn.Conv2d(channels, 64, 7, ...)`."""
    weights = sketch(name)
    with without_memory():
        stem = f"{architectures.stem_name(source_network(name))}.weight"
    shape = weights[stem].shape
    weights[stem] = torch.empty(shape[0], channels, *shape[2:], device="meta")
    found = recognise(weights)
    assert (found.architecture, found.channels) == (name, channels)


@pytest.mark.parametrize("channels", [0, 5, 64])
def test_other_numbers_of_channels_are_of_other_networks(channels: int) -> None:
    weights = {**sketch("resnet18"), "conv1.weight": torch.empty(64, channels, 7, 7, device="meta")}
    with pytest.raises(Unrecognised):
        recognise(weights)


@pytest.mark.parametrize(("name", "size"), [("vit_b_16", 384), ("vit_b_16", 96), ("vit_b_32", 64)])
def test_vision_transformers_at_other_sizes(name: str, size: int) -> None:
    """The number of positions says how many patches there were: (384 / 16)^2 + 1 = 577, for example."""
    found = recognise(sketch(name, image_size=size))
    assert (found.architecture, found.configuration["image_size"]) == (name, size)
    assert "image_size" not in recognise(sketch(name)).configuration


def test_only_vision_transformers_have_a_size() -> None:
    """vit_h_14 has published weights for 518 pixels, and others for 224, which is the usual size."""
    assert [recognise(sketch("vit_h_14", image_size=size)).side for size in (224, 518)] == [224, 518]
    assert recognise(sketch("resnet18")).side is None


def test_old_names_of_densenet() -> None:
    """torchvision's own files are of 2017, and have `norm.1` for `norm1`."""
    found = recognise(renamed(sketch("densenet121"), r"(denselayer\d+\.(?:norm|conv))(\d)", r"\1.\2"))
    assert found.architecture == "densenet121" and set(found.weights) == set(sketch("densenet121"))


@pytest.mark.parametrize(
    ("kind", "name", "key"), [(GoogLeNet, "googlenet", "aux1."), (Inception3, "inception_v3", "Aux")]
)
def test_auxiliary_heads_are_left_out(kind: Callable[..., nn.Module], name: str, key: str) -> None:
    """They exist while training from scratch; the network itself has the same weights without them."""
    with without_memory():
        weights = kind(num_classes=7, aux_logits=True, init_weights=False).state_dict()
    assert any(other.startswith(key) for other in weights)
    found = recognise(weights)
    assert found.architecture == name and not any(other.lower().startswith("aux") for other in found.weights)
    assert found.configuration["transform_input"] is False


def test_counters_of_batch_norms_may_be_missing() -> None:
    """Files of before 2018 have none."""
    weights = {key: tensor for key, tensor in sketch("resnet18").items() if not key.endswith("num_batches_tracked")}
    assert recognise(weights).architecture == "resnet18"


@pytest.mark.parametrize(
    "change",
    [
        lambda weights: {},
        lambda weights: {"weight": torch.zeros(3)},
        lambda weights: {**weights, "more": torch.zeros(3)},
        lambda weights: {key: tensor for key, tensor in weights.items() if key != "layer4.1.conv2.weight"},
        lambda weights: {**weights, "layer4.1.conv2.weight": torch.zeros(3)},
        lambda weights: {**weights, "conv1.weight": torch.zeros(())},
        lambda weights: {**weights, "conv1.weight": torch.zeros(64)},
        lambda weights: {**weights, "fc.weight": torch.zeros(())},
        lambda weights: {**weights, "fc.weight": torch.zeros(7)},
        lambda weights: {**weights, "fc.weight": torch.zeros(7, 511)},
        lambda weights: {**weights, "fc.bias": torch.zeros(8)},
        lambda weights: {**{key: tensor for key, tensor in weights.items() if "fc" not in key}},
        lambda weights: {
            **{key: tensor for key, tensor in weights.items() if "fc" not in key},
            **{"fc.0.weight": torch.zeros(9, 512), "fc.0.bias": torch.zeros(9), "fc.2.weight": torch.zeros(7, 9)},
        },
        lambda weights: renamed(weights, r"^layer1", "stage1"),
    ],
    ids=[
        *("empty", "one weight", "surplus", "missing", "another shape", "stem without dimensions", "stem of one"),
        *("head without dimensions", "head of one", "head of another width", "bias of another head", "no head"),
        *("head of two layers", "other names"),
    ],
)
def test_what_is_no_network_of_torchvision(change: Callable[[Weights], Weights]) -> None:
    """Whatever the shapes are, and with the next step in the message."""
    with pytest.raises(Unrecognised, match="name it with --architecture"):
        recognise(change(sketch("resnet18")))


@pytest.mark.parametrize("shape", [(1, 0, 768), (1, 2, 768), (1, 51, 768), (50, 768), (), (2, 50, 768)])
def test_positions_that_fill_no_square_are_of_another_network(shape: tuple[int, ...]) -> None:
    """A class token and one for each patch of a square; 1 + 49 for 224 pixels of which each patch has 32."""
    weights = {**sketch("vit_b_32"), "encoder.pos_embedding": torch.empty(shape, device="meta")}
    found = fit("vit_b_32", weights)
    assert (found is None) == (shape != (1, 2, 768)), "two positions are a class token and one patch"


def test_long_names_are_cut_in_the_message() -> None:
    with pytest.raises(Unrecognised) as refused:
        recognise({"x" * 100_000: torch.zeros(1)})
    assert len(str(refused.value)) < 600


def test_tied_weights_are_weights_like_others() -> None:
    """Two layers that share one tensor have it under both names in the file, and may be trained apart here."""
    weights = dict(source_network("resnet18").state_dict())
    weights["layer1.1.conv1.weight"] = weights["layer1.0.conv1.weight"]
    network = loads(recognise(weights))
    assert torch.equal(network.layer1[1].conv1.weight, network.layer1[0].conv1.weight)

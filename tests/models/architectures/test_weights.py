"""Loading weights: all of them, or those of the backbone, and what is refused."""

import pytest
import torch
from torch import nn

from models.architectures import BadWeights, build, head_name, load_backbone, load_exactly, sketch, stem_name
from tests.models.architectures.families import first_convolution


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


def test_of_many_faults_the_first_are_named_and_long_names_are_cut(squeezenet: nn.Module) -> None:
    """A file may have names of any length."""
    weights = {**squeezenet.state_dict(), **{"x" * 100_000 + str(number): torch.zeros(1) for number in range(9)}}
    with pytest.raises(BadWeights, match="9 unknown: xxx") as refused:
        load_exactly(squeezenet, weights)
    assert len(str(refused.value)) < 600


def test_a_network_without_convolutions_has_no_stem() -> None:
    """Its backbone is loaded all the same: the layers before the last one."""
    source, target = (nn.Sequential(nn.Flatten(), nn.Linear(12, 4), nn.Linear(4, 2)) for _ in range(2))
    assert stem_name(source) == ""
    load_backbone(target, source.state_dict())
    assert torch.equal(target[1].weight, source[1].weight) and not torch.equal(target[2].weight, source[2].weight)


def test_a_sketch_has_shapes_and_no_values() -> None:
    weights = {"0.weight": torch.zeros(4, 3), "0.bias": torch.zeros(4)}
    network = sketch(weights, lambda: nn.Sequential(nn.Linear(3, 4)))
    assert network[0].weight.shape == (4, 3) and network[0].weight.is_meta


def test_a_sketch_of_a_network_that_is_far_larger_than_its_weights_is_refused() -> None:
    """A layer of 10^12 numbers, and a million small layers, are both noticed before they take memory."""
    weights = {"0.weight": torch.zeros(4, 3)}
    with pytest.raises(BadWeights, match="a tensor of 1000000 x 1000000 numbers, which is too large"):
        sketch(weights, lambda: nn.Linear(1_000_000, 1_000_000))
    with pytest.raises(BadWeights, match="far more numbers than there are weights"):
        sketch(weights, lambda: nn.ModuleList(nn.Linear(1000, 1000) for _ in range(1_000_000)))
    with pytest.raises(BadWeights, match="a tensor of 1 x 1000000 x 1000000 numbers, which is too large"):
        sketch(weights, lambda: nn.ParameterList([torch.zeros(1, 1_000_000, 1_000_000)]))


def test_a_table_that_is_computed_is_no_larger_than_weights_either() -> None:
    """Each number with each other: 10^10 pairs of 100,000 numbers, which are few by themselves."""
    numbers = torch.zeros(100_000)
    with pytest.raises(BadWeights, match="a tensor of 100000 x 100000 numbers, which is too large"):
        sketch({"a": numbers}, lambda: nn.ParameterList([numbers[:, None] - numbers[None, :]]))


def test_weights_need_no_versions_of_the_layers() -> None:
    """A plain dictionary, as read from safetensors, has none; torchvision's MNASNet refuses to load it itself."""
    source, target = build("mnasnet0_5", 3), build("mnasnet0_5", 3)
    load_exactly(target, dict(source.state_dict()))
    assert all(torch.equal(tensor, target.state_dict()[key]) for key, tensor in source.state_dict().items())


def test_whole_numbers_are_no_weights() -> None:
    """Those of quantised networks have a scale elsewhere; counters stay whole numbers."""
    network = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))
    weights = dict(network.state_dict())
    load_exactly(network, weights)
    weights["0.weight"] = (1000 * weights["0.weight"]).to(torch.int32)
    with pytest.raises(BadWeights, match=r"1 of these weights, such as 0\.weight, are whole numbers"):
        load_exactly(network, weights)

"""Every classifier of torchvision goes from a file to a checkpoint, without being named, and gives the same logits."""

from pathlib import Path

import pytest
import torch
from torch import nn

from models import checkpoint
from models.architectures import architectures
from models.architectures.without_memory import without_memory
from tests.training.importing.weight_files import WRAPPERS, source_network, write
from training.importing.recognise import recognise
from training.importing.sources import state_dicts

SMALL = {
    "googlenet": "Lightning",
    "mnasnet0_5": "nested",
    "mobilenet_v2": "timm",
    "mobilenet_v3_small": "DataParallel of torch.compile",
    "resnet18": "averaged",
    "shufflenet_v2_x0_5": "plain",
    "squeezenet1_1": "Lightning",
}
"""The smallest networks of most families, and how the file of each is wrapped."""
LARGEST = 160_000_000
"""Largest number of weights of a network whose file is written twice, in two formats, by the slow tests."""


def round_trip(name: str, file: Path, network: nn.Module) -> None:
    """Import the file, and compare the network's logits with the source's, before and after the checkpoint."""
    model = state_dicts.read(file, None, None)
    assert model.spec.architecture == name and len(model.spec.classes) == 7
    pixels = torch.rand(2, 3, *model.spec.size, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        expected = network(pixels)
        torch.testing.assert_close(model.network(pixels), expected, rtol=0, atol=1e-5)
    output = file.with_name("imported.safetensors")
    checkpoint.save(output, model.network, model.spec, {}, dtype=None)
    model_weights = model.network.state_dict()
    loaded, _ = checkpoint.load(output)
    assert all(torch.equal(tensor, loaded.network[1].state_dict()[key]) for key, tensor in model_weights.items())
    with torch.no_grad():
        # The classifier computes in another memory format, whose rounding grows with the logits of random networks.
        tolerance = 1e-5 * (1 + expected.abs().max().item())
        torch.testing.assert_close(loaded.network[1](pixels), expected, rtol=0, atol=tolerance)
    output.unlink()  # all of them together would fill the disk


@pytest.mark.parametrize("name", architectures())
def test_every_network_is_recognised_by_its_weights_alone(name: str) -> None:
    """All of them, the largest too: weights without values, which take no memory, have names and shapes."""
    with without_memory():
        network = source_network(name)
    found = recognise(network.state_dict())
    assert (found.architecture, found.outputs, found.channels) == (name, 7, 3)


@pytest.mark.parametrize("name", SMALL)
def test_a_network_of_each_family_gives_the_same_logits(name: str, tmp_path: Path) -> None:
    """To 1e-5, in the wrapper that the table names."""
    network = source_network(name)
    round_trip(name, write(tmp_path / "weights.pth", WRAPPERS[SMALL[name]](network.state_dict())), network)


def wrapper_of(name: str) -> str:
    """Half of the networks are in a plain file, and the other half in one wrapper after the other."""
    place = architectures().index(name)
    return list(WRAPPERS)[1 + place // 2 % (len(WRAPPERS) - 1)] if place % 2 else "plain"


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in architectures() if name not in SMALL])
def test_every_other_network_gives_the_same_logits(name: str, tmp_path: Path) -> None:
    """The largest, ViT-H/14 with 632 million weights, needs 12 GB of memory.

    Those in plain files are read as .safetensors too, up to LARGEST weights.
    """
    network = source_network(name)
    file = write(tmp_path / "weights.pth", WRAPPERS[wrapper_of(name)](network.state_dict()))
    round_trip(name, file, network)
    file.unlink()
    if wrapper_of(name) == "plain" and sum(weight.numel() for weight in network.parameters()) < LARGEST:
        file = write(tmp_path / "weights.safetensors", network.state_dict())
        round_trip(name, file, network)
        file.unlink()

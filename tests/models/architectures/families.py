"""torchvision's families of classifiers, and networks of them that tell pictures apart."""

import pytest
import torch
from torch import Tensor, nn

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


def noise(rows: int, side: int) -> Tensor:
    """Pictures [rows, 3, side, side] of random pixels."""
    return torch.rand(rows, 3, side, side, generator=torch.Generator().manual_seed(0))


def first_convolution(network: nn.Module) -> nn.Conv2d:
    """The layer that reads the pixels."""
    return next(layer for layer in network.modules() if isinstance(layer, nn.Conv2d))


def lively(network: nn.Module, pixels: Tensor) -> nn.Module:
    """Set the batch-norm statistics to those of the pixels; without, a random network passes on nearly no signal."""
    for layer in network.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.momentum = None
    with torch.no_grad():
        network.train()(pixels)
    return network.eval()

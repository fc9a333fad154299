"""Batch norms folded into the convolutions before them: a frozen network that says the same in fewer operations."""

import logging

import torch
from torch import nn
from torch.fx.experimental.optimization import fuse

logger = logging.getLogger(__name__)
AGREEMENT = 1e-3
"""Largest difference of a logit, as a share of the largest logit, that float32 explains."""


def fold_batch_norms(network: nn.Module, side: int = 64) -> nn.Module:
    """The network in eval mode without the batch norms that follow a convolution; as it is, where that cannot be had.

    A pass of MobileNetV2 with gradients takes 0.5 to 0.8 of the time on two cores (docs/benchmarks.md). What cannot be
    traced, or then says something else of `side` x `side` pixels, is left alone.
    """
    if not any(isinstance(module, nn.BatchNorm2d) for module in network.modules()):
        return network
    try:
        folded: nn.Module = fuse(network)
        with torch.no_grad():
            device = next(network.parameters()).device
            pixels = torch.rand(1, 3, side, side, generator=torch.Generator().manual_seed(0)).to(device) * 4 - 2
            before, after = network(pixels), folded(pixels)
    except Exception as error:  # torch.fx raises nearly anything on code that it cannot follow
        logger.info("the batch norms of %s are not folded: %s", type(network).__name__, error)
        return network
    if (before - after).abs().max() > AGREEMENT * before.abs().max().clamp(min=1.0):
        logger.warning("folding the batch norms of %s changes what it says: left alone", type(network).__name__)
        return network
    return folded

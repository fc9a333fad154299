"""Folding batch norms into the convolutions before them: a frozen network gives the same logits in less time."""

import copy
import logging
from collections import Counter

import torch
from torch import fx, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from models.tracing import Tracer

logger = logging.getLogger(__name__)
AGREEMENT = 1e-3
"""Largest difference of a logit, as a fraction of the largest logit, that float32 rounding explains."""


def fold_batch_norms(network: nn.Module, shape: tuple[int, int, int] = (3, 64, 64)) -> nn.Module:
    """A copy of the network, which is in eval mode, with each batch norm that follows a convolution folded into it.

    Its layers keep their names; a convolution then outputs what the norm after it did. A pass of MobileNetV2 with
    gradients takes 0.5 to 0.8 of the time on two cores (docs/benchmarks.md). The network itself is returned if it has
    no batch norms, cannot be traced by torch.fx, or would give other logits for pixels of `shape` (channels, height,
    width).
    """
    if not any(isinstance(module, nn.BatchNorm2d) for module in network.modules()):
        return network
    try:
        folded = _folded(network)
        with torch.no_grad():
            device = next(network.parameters()).device
            pixels = torch.rand(1, *shape, generator=torch.Generator().manual_seed(0)).to(device) * 4 - 2
            before, after = network(pixels), folded(pixels)
    except Exception as error:  # torch.fx raises nearly anything on code that it cannot follow
        logger.info("the batch norms of %s are not folded: %s", type(network).__name__, error)
        return network
    if (before - after).abs().max() > AGREEMENT * before.abs().max().clamp(min=1.0):
        logger.warning("folding the batch norms of %s changes its logits: they are not folded", type(network).__name__)
        return network
    return folded


def _folded(network: nn.Module) -> nn.Module:
    folded = copy.deepcopy(network)
    for convolution, norm in _pairs(network):
        fused: nn.Module = fuse_conv_bn_eval(folded.get_submodule(convolution), folded.get_submodule(norm))  # type: ignore[type-var, arg-type]
        folded.set_submodule(convolution, fused)
        folded.set_submodule(norm, nn.Identity())
    return folded


def _pairs(network: nn.Module) -> list[tuple[str, str]]:
    """Names of convolutions and the batch norms after them, where nothing else reads the convolution's output.

    Both are called once in a pass.
    """
    calls = [node for node in Tracer().trace(network).nodes if node.op == "call_module"]
    times = Counter(str(node.target) for node in calls)
    pairs = []
    for node in calls:
        before = node.args[0] if node.args else None
        if isinstance(before, fx.Node) and before in calls and len(before.users) == 1:
            convolution, norm = str(before.target), str(node.target)
            kinds = [type(network.get_submodule(name)) for name in (convolution, norm)]
            if kinds == [nn.Conv2d, nn.BatchNorm2d] and times[convolution] == times[norm] == 1:
                pairs.append((convolution, norm))
    return pairs

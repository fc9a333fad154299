"""A network as one flat function, which takes less time than its nested layers."""

import logging
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, fx, nn

from models import fused
from models.tracing import Tracer

logger = logging.getLogger(__name__)
Function = Callable[[Tensor], Tensor]
LOGITS_AGREE = 1e-4
"""The largest difference of a logit that rounding explains, as a fraction of the largest logit."""
GRADIENTS_AGREE = 0.05
"""The same of the L2 norm of a gradient: rounding may take a unit over the kink of its activation."""


@dataclass(frozen=True)
class Unrolled:
    """The pass of a network as one function, and as another one for a single row."""

    function: fx.GraphModule
    for_one_row: fx.GraphModule

    def __call__(self, pixels: Tensor) -> Tensor:
        return self.for_one_row(pixels) if len(pixels) == 1 else self.function(pixels)  # type: ignore[no-any-return]

    def copies(self) -> list[Tensor]:
        """Weights that are in memory once more, in another layout."""
        return [copy for convolution in fused.convolutions_of(self.for_one_row) for copy in convolution.copies]


class _Inlining(Tracer):
    """Follows every layer to the functions that it calls."""

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return False


def unroll(network: nn.Module, pixels: Tensor) -> Unrolled | None:
    """The network's pass as one function, or None where there is none that gives the same.

    Calls of nested layers take a millisecond of MobileNetV2's pass. On a CPU, a pass of one row is faster still with
    the activations in the calls of the convolutions (docs/decisions/0036). The network is in eval mode, and its weights
    do not change. Hooks of its layers are not called. torch.fx cannot follow networks whose code depends on values. For
    `pixels`, two rows or more, the function has to give the network's logits bit for bit; for the first of them alone
    it has to agree with the network, or the faster way for one row is not taken.
    """
    try:
        with torch.no_grad():
            function = flat(network)
            same = all(torch.equal(function(some), network(some)) for some in (pixels, pixels[:1]))
        same = same and _agree(function, network, pixels)
    except Exception as error:  # torch.fx raises nearly anything on code that it cannot follow
        logger.info("the layers of %s are not unrolled: %s", type(network).__name__, error)
        return None
    if not same:
        logger.warning("unrolling the layers of %s changes its logits: it is left as it is", type(network).__name__)
        return None
    for_one_row = _fused(function, pixels[:1]) if fused.is_supported(pixels) else function
    # A graph and its module refer to each other. Without such cycles the memory of a model that has been replaced is
    # returned as soon as its last request is done, and not when Python searches for cycles the next time.
    function.graph.owning_module = for_one_row.graph.owning_module = None
    unrolled = Unrolled(function, for_one_row)
    # The code that torch.fx writes is part of such a cycle, too, and has the fused convolutions among its globals.
    for convolution in fused.convolutions_of(for_one_row):
        weakref.finalize(unrolled, convolution.release).atexit = False
    return unrolled


def _fused(function: fx.GraphModule, row: Tensor) -> fx.GraphModule:
    """The function for one row, with fused convolutions, or as it is where that cannot be done or changes anything."""
    try:
        with torch.no_grad():
            faster = fused.fuse(function, row)
        same = _agree(faster, function, row)
    except Exception as error:  # a PyTorch without these operators, or with others
        logger.warning("the convolutions and activations of a network are not fused: %s", error)
        return function
    if not same:
        logger.warning("fusing the convolutions and activations of a network changes its answers: it is not done")
        return function
    return faster


def flat(network: nn.Module) -> fx.GraphModule:
    """The traced network, whose weights are plain attributes; raises nearly anything where it cannot be followed."""
    module = fx.GraphModule(network, _Inlining().trace(network))
    for number, node in enumerate(module.graph.nodes):
        if node.op == "get_attr":
            # A plain attribute: a module looks for its parameters last, layer by layer.
            value = _attribute(module, str(node.target))
            node.target = f"constant_{number}"
            module.__dict__[node.target] = value
    module.recompile()
    return module


def _attribute(module: nn.Module, path: str) -> Any:
    owner, _, name = path.rpartition(".")
    return getattr(module.get_submodule(owner), name)


def _agree(function: Function, network: Function, pixels: Tensor) -> bool:
    """Whether both give the same logits, without and with gradients, and the same gradients, but for rounding."""
    with torch.no_grad():
        expected, logits = network(pixels), function(pixels)
    gradients, differentiated = zip(*(_gradient(each, pixels) for each in (network, function)), strict=True)
    bound = LOGITS_AGREE * expected.abs().max().clamp(min=1.0)
    return bool(
        max((logits - expected).abs().max(), (differentiated[1] - expected).abs().max()) <= bound
        and (gradients[1] - gradients[0]).norm() <= GRADIENTS_AGREE * gradients[0].norm()
    )


def _gradient(network: Function, pixels: Tensor) -> tuple[Tensor, Tensor]:
    """The gradient of a sum of the logits, with weights of both signs, and the logits."""
    leaf = pixels.detach().requires_grad_()
    with torch.enable_grad():
        logits = network(leaf)
        weights = torch.cos(torch.arange(logits.shape[1], device=logits.device, dtype=logits.dtype))
        (gradient,) = torch.autograd.grad((logits * weights).sum(), leaf)
    return gradient, logits.detach()

"""Activations that keep for the backward pass what it needs and no more, which makes a pass with gradients faster.

autograd saves the input of ReLU6, SiLU and Hardswish. Where the layer works in place it copies the input first. Without
that copy MobileNetV2's pass with gradients takes 0.73 to 0.86 of the time (docs/decisions/0036). ReLU needs nothing of
this: autograd saves its output. torch.fx records the functions here as they are, and does not look into them.
"""

import torch
from torch import Tensor, fx, nn
from torch.autograd.function import FunctionCtx, once_differentiable
from torch.nn import functional


class _Clip(torch.autograd.Function):
    """Clip to [0, 6] in place, and save the output, whose values inside say where the gradient passes."""

    @staticmethod
    def forward(ctx: FunctionCtx, values: Tensor) -> Tensor:
        ctx.mark_dirty(values)
        ctx.save_for_backward(values.clamp_(0, 6))
        return values

    @staticmethod
    @once_differentiable
    def backward(ctx: FunctionCtx, gradient: Tensor) -> Tensor:
        (clipped,) = ctx.saved_tensors  # type: ignore[attr-defined]
        return torch.ops.aten.hardtanh_backward(gradient, clipped, 0, 6)  # type: ignore[no-any-return]


def _is_differentiated(values: Tensor) -> bool:
    return torch.is_grad_enabled() and values.requires_grad


@fx.wrap
def relu6(values: Tensor) -> Tensor:
    """Values clipped to [0, 6], in the memory of the input."""
    return _Clip.apply(values) if _is_differentiated(values) else values.clamp_(0, 6)


@fx.wrap
def silu(values: Tensor) -> Tensor:
    """values * sigmoid(values), in the memory of the input except where autograd would copy the input for that."""
    return functional.silu(values, inplace=not _is_differentiated(values))


@fx.wrap
def hardswish(values: Tensor) -> Tensor:
    """values * min(max(values + 3, 0), 6) / 6, in the memory of the input except where autograd would copy it."""
    return functional.hardswish(values, inplace=not _is_differentiated(values))


class ReLU6(nn.ReLU6):
    """torch's ReLU6 in place, which saves its output where torch's saves a copy of its input."""

    def forward(self, values: Tensor) -> Tensor:
        """See `relu6`."""
        return relu6(values)


class SiLU(nn.SiLU):
    """torch's SiLU in place, except where autograd would copy the input for that."""

    def forward(self, values: Tensor) -> Tensor:
        """See `silu`."""
        return silu(values)


class Hardswish(nn.Hardswish):
    """torch's Hardswish in place, except where autograd would copy the input for that."""

    def forward(self, values: Tensor) -> Tensor:
        """See `hardswish`."""
        return hardswish(values)


KINDS: dict[type[nn.Module], type[nn.Module]] = {nn.ReLU6: ReLU6, nn.SiLU: SiLU, nn.Hardswish: Hardswish}
"""The activation that takes the place of each of torch's."""


def without_copies(network: nn.Module) -> nn.Module:
    """The network itself, with its activations in place replaced; names, kinds of layers and outputs stay the same."""
    for name, layer in list(network.named_modules()):
        if name and type(layer) in KINDS and layer.inplace:
            network.set_submodule(name, KINDS[type(layer)](inplace=True))
    return network

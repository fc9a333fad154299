"""Convolution, bias and activation as one call of oneDNN, for passes of a single row on a CPU.

The weights are laid out for oneDNN once, where PyTorch's own convolution does it in every pass. torch.compile makes the
same calls on CPUs; they have no derivative in PyTorch, which is added here. With several rows the layout counts for
less, and the best one depends on their number (docs/decisions/0036).
"""

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, fx
from torch.autograd.function import once_differentiable
from torch.nn import functional
from torch.nn.modules.utils import _pair as pair

from models.activations import hardswish, relu6, silu


@dataclass(frozen=True)
class Activation:
    """An activation: its name and bounds in oneDNN, and itself as a function that autograd can differentiate.

    `backward` gives the gradient of its input from that of its output and the output, where the output is enough.
    """

    name: str
    bounds: list[float]
    function: Callable[[Tensor], Tensor]
    backward: Callable[[Tensor, Tensor], Tensor] | None = None


def _relu(values: Tensor) -> Tensor:
    return functional.relu(values, inplace=True)


def _relu_backward(gradient: Tensor, output: Tensor) -> Tensor:
    return torch.ops.aten.threshold_backward.default(gradient, output, 0)  # type: ignore[no-any-return]


def _relu6_backward(gradient: Tensor, output: Tensor) -> Tensor:
    return torch.ops.aten.hardtanh_backward.default(gradient, output, 0, 6)  # type: ignore[no-any-return]


NONE = Activation("none", [], lambda values: values)
ACTIVATIONS: dict[Any, Activation] = {
    functional.relu: Activation("relu", [], _relu, _relu_backward),
    relu6: Activation("hardtanh", [0.0, 6.0], relu6, _relu6_backward),
    silu: Activation("swish", [], silu),
    hardswish: Activation("hardswish", [], hardswish),
}
"""The functions that become part of the call of the convolution before them."""


@dataclass(frozen=True)
class Geometry:
    """How a convolution moves over its input: what oneDNN's calls take beside the tensors."""

    padding: list[int]
    stride: list[int]
    dilation: list[int]
    groups: int

    @property
    def arguments(self) -> tuple[list[int], list[int], list[int], int]:
        """The four in the order of oneDNN's call."""
        return self.padding, self.stride, self.dilation, self.groups

    def packed(self, weight: Tensor, shape: Sequence[int]) -> Tensor:
        """The weight [o, i / groups, h, w] in the layout that oneDNN prefers for an input of this shape."""
        pack = torch.ops.mkldnn._reorder_convolution_weight.default
        return pack(weight, *self.arguments, list(shape))  # type: ignore[no-any-return]

    def reversed(self, weight: Tensor) -> "tuple[Geometry, Tensor] | None":
        """The convolution that gives the gradient of the input from that of the output; None for other strides than 1.

        Its kernels are turned by 180 degrees, and inputs and outputs change places within each group.
        """
        spans = [dilation * (size - 1) for dilation, size in zip(self.dilation, weight.shape[2:], strict=True)]
        padding = [span - before for span, before in zip(spans, self.padding, strict=True)]
        if self.stride != [1, 1] or min(padding) < 0:
            return None
        turned = weight.unflatten(0, (self.groups, -1)).transpose(1, 2).flatten(0, 1).flip(2, 3)
        geometry = Geometry(padding, self.stride, self.dilation, self.groups)
        return geometry, turned.contiguous(memory_format=torch.channels_last)


class Convolution:
    """A convolution with frozen weights and the activation after it, as a function of one row [1, c, h, w]."""

    def __init__(
        self,
        weight: Tensor,
        bias: Tensor | None,
        geometry: Geometry,
        activation: Activation,
        shapes: tuple[Sequence[int], Sequence[int]],
    ) -> None:
        """`shapes` are those of the input and of the output."""
        self._activation = activation
        self._packed = geometry.packed(weight, shapes[0])
        self.copies = [self._packed]
        """The weights in other layouts: memory beside that of the network."""
        self._rest = bias, *geometry.arguments
        reverse = geometry.reversed(weight)
        self._backward: Callable[[Tensor, Tensor], Tensor]
        if reverse is not None:
            back, turned = reverse
            self.copies.append(back.packed(turned, shapes[1]))
            rest: Any = (self.copies[-1], None, *back.arguments, "none", [], "")
            self._backward = lambda gradient, _: torch.ops.mkldnn._convolution_pointwise.default(gradient, *rest)
        else:
            padding, stride, dilation, groups = geometry.arguments
            others = (weight, None, stride, padding, dilation, False, [0, 0], groups, (True, False, False))
            convolution_backward = torch.ops.aten.convolution_backward.default
            self._backward = lambda gradient, values: convolution_backward(gradient, values, *others)[0]

    def release(self) -> None:
        """Let go of the weights; the convolution cannot be used any more."""
        del self._packed, self.copies, self._rest, self._backward

    def __call__(self, row: Tensor) -> Tensor:
        if not (torch.is_grad_enabled() and row.requires_grad):
            return self.forward(row, self._activation)
        if self._activation.backward is None:
            return self._activation.function(_Differentiable.apply(row, self, NONE))
        return _Differentiable.apply(row, self, self._activation)  # type: ignore[no-any-return]

    def forward(self, row: Tensor, activation: Activation) -> Tensor:
        """The activation of the convolution; autograd does not see how it was computed."""
        call = torch.ops.mkldnn._convolution_pointwise.default
        return call(row, self._packed, *self._rest, activation.name, activation.bounds, "")  # type: ignore[no-any-return]

    def backward(self, gradient: Tensor, row: Tensor) -> Tensor:
        """The gradient of the row from that of the convolution's output, which is before the activation."""
        return self._backward(gradient, row)


class _Differentiable(torch.autograd.Function):
    """A convolution with no activation, or with one whose output is enough for its derivative."""

    @staticmethod
    def forward(ctx: Any, row: Tensor, convolution: Convolution, activation: Activation) -> Tensor:
        output = convolution.forward(row, activation)
        ctx.save_for_backward(row, None if activation.backward is None else output)
        ctx.convolution, ctx.activation = convolution, activation
        return output

    @staticmethod
    @once_differentiable  # oneDNN's call has no derivative: else a second derivative would be 0, with a warning only
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        row, output = ctx.saved_tensors
        if output is not None:
            gradient = ctx.activation.backward(gradient, output)
        return ctx.convolution.backward(gradient, row), None, None


def is_supported(pixels: Tensor) -> bool:
    """Whether PyTorch can make these calls for such pixels, and the processor is of the kind that gains from them."""
    return (
        (pixels.device.type, pixels.dtype) == ("cpu", torch.float32)
        and torch.backends.mkldnn.is_available()
        and torch.backends.cpu.get_cpu_capability() in ("AVX2", "AVX512")
    )


def fuse(function: fx.GraphModule, row: Tensor) -> fx.GraphModule:
    """The traced network as a function of one row of the shape of `row` [1, c, h, w].

    Each convolution and the activation that alone reads it are one call. A convolution whose output is a single pixel
    is left as it is: for those PyTorch knows a faster way than oneDNN's.
    """
    fused = copy.copy(function)
    fused.graph = copy.deepcopy(function.graph)
    _Shapes(fused).run(row)
    for number, node in enumerate(fused.graph.nodes):
        if node.target is not torch.conv2d or isinstance(node.args[4], str) or _shape(node)[2:].numel() == 1:
            continue
        reader = next(iter(node.users)) if len(node.users) == 1 else node
        activation = ACTIVATIONS.get(reader.target, NONE)
        last = node if activation is NONE else reader
        with fused.graph.inserting_before(node):
            call = _named(_convolution(fused, node, activation), f"convolution_{number}")
            together = fused.graph.call_function(call, (node.args[0],))
        together.meta = last.meta
        last.replace_all_uses_with(together)
    fused.graph.eliminate_dead_code()
    fused.recompile()
    return fused


def _convolution(module: fx.GraphModule, node: fx.Node, activation: Activation) -> Convolution:
    """The convolution of a node `torch.conv2d(input, weight, bias, stride, padding, dilation, groups)`."""
    source, weight, bias, stride, padding, dilation, groups = node.args
    tensors = [None if each is None else getattr(module, str(each.target)) for each in (weight, bias)]  # type: ignore[union-attr]
    geometry = Geometry([*pair(padding)], [*pair(stride)], [*pair(dilation)], int(groups))  # type: ignore[arg-type]
    return Convolution(tensors[0], tensors[1], geometry, activation, (_shape(source), _shape(node)))  # type: ignore[arg-type]


class _Shapes(fx.Interpreter):
    """Runs a traced network, and notes the shape of what each of its nodes gives."""

    def run_node(self, n: fx.Node) -> Any:
        result = super().run_node(n)
        n.meta["shape"] = getattr(result, "shape", None)
        return result


def _shape(node: Any) -> torch.Size:
    shape: torch.Size = node.meta["shape"]
    return shape


def convolutions_of(fused: fx.GraphModule) -> list[Convolution]:
    """The convolutions that `fuse` has made, with the weights that it has laid out anew; none without it."""
    calls = [getattr(node.target, "convolution", None) for node in fused.graph.nodes]
    return [call for call in calls if isinstance(call, Convolution)]


def _named(convolution: Convolution, name: str) -> Callable[[Tensor], Tensor]:
    """The convolution as a function with a name, by which torch.fx writes a call of it."""

    def call(row: Tensor) -> Tensor:
        return convolution(row)

    call.convolution = convolution  # type: ignore[attr-defined]
    call.__name__ = call.__qualname__ = name
    return call

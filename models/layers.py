"""The layers of a network by name: what each puts out, and how to watch it during a pass."""

import contextlib
import difflib
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

IDLE = ("Identity", "Dropout", "StochasticDepth", "Flatten", "Permute")
"""Kinds of layers that put out, in another shape at most, what they were given."""


class UnknownLayer(LookupError):
    """A layer or channel that the network does not have."""


@dataclass(frozen=True)
class Layer:
    """A part of a network that is called once in a pass, by its dotted name, and the size of its `maps`.

    `decides` tells whether the class scores depend on what its maps show: they do not on the last tokens of a ViT, of
    which the class token alone is read. `channels_last` is of no concern to anyone but `maps`.
    """

    name: str
    kind: str
    channels: int
    height: int
    width: int
    decides: bool
    channels_last: bool = False

    def maps(self, activations: Float[Tensor, "n *shape"]) -> Float[Tensor, "n c h w"]:
        """The layer's output as feature maps; differentiable."""
        return maps(activations, channels_last=self.channels_last)

    def check_channel(self, channel: int) -> int:
        """The channel; raises UnknownLayer where the layer does not have it."""
        if not 0 <= channel < self.channels:
            raise UnknownLayer(f"{self.name} has no channel {channel}: they are 0 to {self.channels - 1}")
        return channel


class Layers(tuple[Layer, ...]):
    """Every layer of one network that can be named, in the order in which they are called."""

    def find(self, name: str) -> Layer:
        """The layer of this name; raises UnknownLayer with near matches."""
        for layer in self:
            if layer.name == name:
                return layer
        names = [layer.name for layer in self]
        near = difflib.get_close_matches(name, names, n=3, cutoff=0.4) or [*names[:2], *names[-2:]]
        raise UnknownLayer(f"the model has no layer {name[:100]!r}; near are: {', '.join(near)}")

    @property
    def last_map(self) -> Layer | None:
        """The last layer with maps of more than one pixel on which the class scores depend."""
        return next((layer for layer in reversed(self) if layer.decides and layer.height * layer.width > 1), None)


def layers(network: nn.Module, pair: Float[Tensor, "2 c s s"]) -> Layers:
    """What can be watched: parts that are called once, and put out one tensor with a row for each of two pictures."""
    outputs: dict[str, list[Tensor | None]] = {}

    def hook(name: str, output: object) -> Tensor | None:
        if not isinstance(output, Tensor):
            outputs.setdefault(name, []).append(None)
            return None
        shown = output.ndim in (2, 3, 4) and len(output) == 2 and output.requires_grad
        outputs.setdefault(name, []).append(output if shown else None)
        return output.clone()  # as `watching` does

    hooks = [
        module.register_forward_hook(lambda _, __, output, name=name: hook(name, output))
        for name, module in network.named_modules()
        if name and not type(module).__name__.startswith(IDLE)
    ]
    try:
        with torch.enable_grad():
            scores = network(pair.detach().requires_grad_()).sum()
    finally:
        for each in hooks:
            each.remove()
    seen = {name: output for name, (output, *more) in outputs.items() if output is not None and not more}
    slopes = torch.autograd.grad(scores, list(seen.values()), materialize_grads=True)
    last = _channels_last(network, pair, {name: output.shape[1:] for name, output in seen.items() if output.ndim == 4})
    # In the order of their ends: a block comes after its parts.
    return Layers(
        _layer(name, network.get_submodule(name), slope, channels_last=name in last)
        for name, slope in zip(seen, slopes, strict=True)
    )


def _layer(name: str, module: nn.Module, slopes: Float[Tensor, "2 *shape"], *, channels_last: bool) -> Layer:
    _, channels, height, width = maps(slopes, channels_last=channels_last).shape
    return Layer(name, type(module).__name__, channels, height, width, bool(slopes.any()), channels_last)


def _channels_last(
    network: nn.Module, pair: Float[Tensor, "2 c s s"], shapes: Mapping[str, Sequence[int]]
) -> frozenset[str]:
    """The layers that put out [n, h, w, c]: only that makes them square (Swin, parts of ConvNeXt).

    Where a layer has as many channels as rows, a wider picture tells: it makes rows longer, and adds no channels.
    """
    last = {name for name, (first, second, third) in shapes.items() if first == second != third}
    cubes = {name for name, shape in shapes.items() if len(set(shape)) == 1 and shape[0] > 1}
    with torch.no_grad(), watching(network, cubes) as seen:
        if cubes:
            # What takes one size alone fails somewhere; layers behind that stay [n, c, h, w], as most have it.
            with contextlib.suppress(Exception):
                network(torch.cat([pair, pair], dim=3))
    wider = {name: output.shape[1:] for name, output in seen.items()}
    return frozenset(last | {name for name, shape in wider.items() if shape[2] == shapes[name][2] != shape[1]})


def maps(activations: Float[Tensor, "n *shape"], *, channels_last: bool = False) -> Float[Tensor, "n c h w"]:
    """A layer's output as feature maps; differentiable.

    Four dimensions are [n, c, h, w], or [n, h, w, c] with `channels_last`. Three are tokens [n, t, c]: a square of
    them, the class token left out, or else a column. Two are channels of one pixel.
    """
    rows = len(activations)
    if activations.ndim == 2:
        return activations[:, :, None, None]
    if activations.ndim == 3:
        channels_first = activations.transpose(1, 2)
        tokens = activations.shape[1]
        for skipped in (0, 1):
            side = math.isqrt(tokens - skipped)
            if side and side * side == tokens - skipped:
                return channels_first[:, :, skipped:].reshape(rows, -1, side, side)
        return channels_first.unsqueeze(3)
    return activations.permute(0, 3, 1, 2) if channels_last else activations


@contextlib.contextmanager
def watching(network: nn.Module, names: Iterable[str]) -> Iterator[dict[str, Tensor]]:
    """While this lasts, each named layer's last output, in the graph of the pass."""
    seen: dict[str, Tensor] = {}

    def hook(name: str, output: Tensor) -> Tensor:
        seen[name] = output
        return output.clone()  # what follows may be in place (ReLU), and must not change what was seen

    hooks = [
        network.get_submodule(name).register_forward_hook(lambda _, __, output, name=name: hook(name, output))
        for name in names
    ]
    try:
        yield seen
    finally:
        for each in hooks:
            each.remove()

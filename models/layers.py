"""The layers of a network by name: the size of their outputs, and how to record an output during a pass."""

import contextlib
import difflib
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

IDLE = ("Identity", "Dropout", "StochasticDepth", "Flatten", "Permute")
"""Kinds of layers whose output is their input, at most in another shape; they are not listed."""

SKIPPED = (0, 1, 2, 5)
"""Numbers of tokens before those of the picture: a class token, with DeiT's distillation token, or with four registers
(Darcet et al. 2023, arxiv.org/abs/2309.16588)."""


class UnknownLayer(LookupError):
    """A layer or channel that the network does not have."""


@dataclass(frozen=True)
class Layer:
    """A part of a network that is called once in a pass, by its dotted name, and the size of its feature maps.

    `decides` says whether the logits depend on what the maps show. They do not for the last tokens of a ViT, of which
    only the class token is used. `channels_last` says that the output is [n, h, w, c], which only `maps` needs to know.
    """

    name: str
    kind: str
    channels: int
    height: int
    width: int
    decides: bool
    channels_last: bool = False

    def maps(self, activations: Float[Tensor, "n *shape"]) -> Float[Tensor, "n c h w"]:
        """Feature maps of the layer's output; differentiable."""
        return maps(activations, self.height / self.width, channels_last=self.channels_last)

    def check_channel(self, channel: int) -> int:
        """The channel itself; raises UnknownLayer if the layer does not have it."""
        if not 0 <= channel < self.channels:
            raise UnknownLayer(f"{self.name} has no channel {channel}: they are 0 to {self.channels - 1}")
        return channel


class Layers(tuple[Layer, ...]):
    """All layers of one network that a query may name, in the order in which they end."""

    def find(self, name: str) -> Layer:
        """The layer with this name; raises UnknownLayer, whose message lists similar names."""
        for layer in self:
            if layer.name == name:
                return layer
        names = [layer.name for layer in self]
        near = difflib.get_close_matches(name, names, n=3, cutoff=0.4) or [*names[:2], *names[-2:]]
        raise UnknownLayer(f"the model has no layer {name[:100]!r}; similar names: {', '.join(near)}")

    @property
    def last_map(self) -> Layer | None:
        """The last layer with maps of more than one pixel on which the logits depend, or None."""
        return next((layer for layer in reversed(self) if layer.decides and layer.height * layer.width > 1), None)


def layers(network: nn.Module, pair: Float[Tensor, "2 c i j"], *, differentiable: bool = True) -> Layers:
    """The layers of a network that can be recorded; `pair` are two pictures for a pass through it.

    These are the parts that are called once in a pass and output one tensor with a row for each picture. Of a network
    that is not `differentiable` nobody knows on which layers the logits depend: they are taken to depend on all.
    """
    found = _recordable(network, pair, differentiable=differentiable)
    shapes = {name: shape[1:] for name, (shape, _) in found.items() if len(shape) == 4}
    aspect = pair.shape[2] / pair.shape[3]
    last = _channels_last(network, pair, shapes)
    # In the order in which they end: a block comes after its parts.
    return Layers(
        _layer(name, network.get_submodule(name), shape, aspect, decides=decides, channels_last=name in last)
        for name, (shape, decides) in found.items()
    )


def _recordable(
    network: nn.Module, pair: Float[Tensor, "2 c i j"], *, differentiable: bool
) -> dict[str, tuple[torch.Size, bool]]:
    """Shape of the output of each layer that can be recorded, and whether the logits depend on it."""
    outputs: dict[str, list[Tensor | None]] = {}

    def hook(name: str, output: object) -> Tensor | None:
        if not isinstance(output, Tensor):
            outputs.setdefault(name, []).append(None)
            return None
        has_maps = output.ndim in (2, 3, 4) and len(output) == 2 and output.requires_grad == differentiable
        outputs.setdefault(name, []).append(output if has_maps else None)
        return output.clone()  # as `watching` does

    hooks = [
        module.register_forward_hook(lambda _, __, output, name=name: hook(name, output))
        for name, module in network.named_modules()
        if name and not type(module).__name__.startswith(IDLE)
    ]
    pixels = pair.detach().requires_grad_(differentiable)
    try:
        with torch.set_grad_enabled(differentiable):
            scores = network(pixels).flatten(1)
    finally:
        for handle in hooks:
            handle.remove()
    single = {name: output for name, (output, *more) in outputs.items() if output is not None and not more}
    if not differentiable:
        return {name: (output.shape, True) for name, output in single.items()}
    decisive = set()
    for name, output in single.items():
        # Looked at as it comes: the gradients of all layers together would take hundreds of megabytes.
        output.register_hook(lambda gradient, name=name: decisive.add(name) if gradient.any() else None)
    # Different weights: probabilities always add up to 1, and their sum has no gradient.
    weights = torch.cos(torch.arange(scores.shape[1], device=scores.device, dtype=scores.dtype))
    torch.autograd.grad((scores * weights).sum(), pixels)
    return {name: (output.shape, name in decisive) for name, output in single.items()}


def _layer(
    name: str, module: nn.Module, shape: torch.Size, aspect: float, *, decides: bool, channels_last: bool
) -> Layer:
    _, channels, height, width = maps(torch.empty(shape, device="meta"), aspect, channels_last=channels_last).shape
    return Layer(name, type(module).__name__, channels, height, width, decides, channels_last)


def _channels_last(
    network: nn.Module, pair: Float[Tensor, "2 c i j"], shapes: Mapping[str, Sequence[int]]
) -> frozenset[str]:
    """Names of the layers that output [n, h, w, c] (Swin, parts of ConvNeXt), of which `shapes` are the output shapes.

    Maps have the proportions of the picture, which mostly decides. If both readings have them, a pass of a wider
    picture decides: it makes the maps wider, and adds no channels.
    """
    height, width = pair.shape[2:]

    def like_picture(down: int, across: int) -> bool:
        # A map is smaller by some factor, and each of its sides is rounded.
        return down == across if height == width else abs(down * width - across * height) <= max(height, width)

    as_last = {name for name, (first, second, _) in shapes.items() if like_picture(first, second)}
    as_first = {name for name, (_, second, third) in shapes.items() if like_picture(second, third)}
    last = as_last - as_first
    unclear = {name for name in as_last & as_first if shapes[name][0] > 1}
    with torch.no_grad(), watching(network, unclear) as outputs:
        if unclear:
            # A network that takes one size alone fails somewhere; the layers after that count as [n, c, h, w].
            with contextlib.suppress(Exception):
                network(torch.cat([pair, pair], dim=3))
    wider = {name: output.shape[1:] for name, output in outputs.items()}
    changed = {
        name: [new != old for new, old in zip(shape, shapes[name], strict=True)] for name, shape in wider.items()
    }
    return frozenset(last | {name for name, which in changed.items() if which[1] and not which[2]})


def maps(
    activations: Float[Tensor, "n *shape"], aspect: float = 1.0, *, channels_last: bool = False
) -> Float[Tensor, "n c h w"]:
    """The output of a layer as feature maps [n, c, h, w]; differentiable.

    Four dimensions are [n, c, h, w], or [n, h, w, c] with `channels_last`. Three are tokens [n, t, c], which become a
    map whose height divided by its width is `aspect`, without the tokens before it (SKIPPED), or a column if they fill
    no such map. Two are channels of one pixel, and so are [n, c, 1], the mean over all tokens.
    """
    rows = len(activations)
    if activations.ndim == 2 or (activations.ndim == 3 and activations.shape[2] == 1):
        return activations.reshape(rows, -1, 1, 1)
    if activations.ndim == 3:
        channels_first = activations.transpose(1, 2)
        tokens = activations.shape[1]
        for skipped in SKIPPED:
            height = round(math.sqrt(max(0, tokens - skipped) * aspect))
            width = round(height / aspect)
            if height and height * width == tokens - skipped:
                return channels_first[:, :, skipped:].reshape(rows, -1, height, width)
        return channels_first.unsqueeze(3)
    return activations.permute(0, 3, 1, 2) if channels_last else activations


@contextlib.contextmanager
def watching(network: nn.Module, names: Iterable[str]) -> Iterator[dict[str, Tensor]]:
    """Record the output of the named layers in the `with` block: the last one of each, still in the autograd graph."""
    outputs: dict[str, Tensor] = {}

    def hook(name: str, output: Tensor) -> Tensor:
        outputs[name] = output
        return output.clone()  # what follows may work in place (ReLU) and must not change the recorded output

    hooks = [
        network.get_submodule(name).register_forward_hook(lambda _, __, output, name=name: hook(name, output))
        for name in names
    ]
    try:
        yield outputs
    finally:
        for handle in hooks:
            handle.remove()

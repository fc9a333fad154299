"""torchvision's classification networks: building one by name, replacing its head, computing the features before it.

torchvision itself is imported when something needs it: building the bundled checkpoints' network does not.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import torch
from jaxtyping import Float
from torch import Tensor, nn

from models.mobilenet import MobileNetV2

if TYPE_CHECKING:
    from torchvision.models import WeightsEnum

TENSORFLOWS = ("googlenet", "inception_v3")
"""Networks whose published weights come from TensorFlow and expect (pixels - 0.5) / 0.5; they compute this from
pixels with ImageNet's normalisation."""


class UnknownArchitecture(LookupError):
    """torchvision has no classification network with this name."""


class BadWeights(ValueError):
    """Weights whose names or shapes are not those of the network."""


def architectures() -> list[str]:
    """The names of torchvision's classification networks."""
    import torchvision.models

    names: list[str] = torchvision.models.list_models(module=torchvision.models)
    return names


def weight_choices(architecture: str) -> "list[WeightsEnum]":
    """torchvision's published weights of an architecture, those that it recommends first.

    Weights without classes are left out: VGG16's IMAGENET1K_FEATURES, whose head is NaN. Raises UnknownArchitecture.
    """
    _check_name(architecture)
    from torchvision.models import get_model_weights

    choices = get_model_weights(architecture)
    default: WeightsEnum | None = getattr(choices, "DEFAULT", None)
    with_classes = [weights for weights in choices if weights.meta["categories"]]
    return sorted(with_classes, key=lambda weights: weights is not default)


def build(architecture: str, classes: int, *, channels: int = 3, published: bool = False) -> nn.Module:
    """A network in eval mode with freshly initialised weights: pixels [n, channels, s, s] to logits [n, classes].

    Its head is linear in `features` and has a bias, so that `set_head` can write a linear classifier into it. With
    `published` the head is as torchvision's published weights need it: MaxViT's has no bias, and a ReLU follows
    SqueezeNet's. Raises UnknownArchitecture.
    """
    network = MobileNetV2(classes) if architecture == "mobilenet_v2" else _torchvisions(architecture, classes, channels)
    if not published:
        _make_head_linear(network)
    if channels != 3:
        _read_channels(network, channels)
    return network.eval()


def _torchvisions(architecture: str, classes: int, channels: int) -> nn.Module:
    _check_name(architecture)
    from torchvision.models import get_model

    extra: dict[str, object] = {}
    if architecture in TENSORFLOWS:
        # Only training from scratch uses their auxiliary heads, their own initialisation takes a minute, and their
        # published weights expect the input scaled as `transform_input` does it.
        extra = {"aux_logits": False, "init_weights": False, "transform_input": channels == 3}
    network: nn.Module = get_model(architecture, weights=None, num_classes=classes, **extra)
    return network


def _stem_name(network: nn.Module) -> str:
    """The dotted name of the layer that reads the pixels: the first Conv2d of the network."""
    names: list[str] = [name for name, layer in network.named_modules() if isinstance(layer, nn.Conv2d)]
    return names[0]


def _read_channels(network: nn.Module, channels: int) -> None:
    name = _stem_name(network)
    stem = network.get_submodule(name)
    assert isinstance(stem, nn.Conv2d)
    replacement = nn.Conv2d(
        channels,
        stem.out_channels,
        stem.kernel_size,  # type: ignore[arg-type]
        stem.stride,  # type: ignore[arg-type]
        stem.padding,  # type: ignore[arg-type]
        bias=stem.bias is not None,
    )
    network.set_submodule(name, replacement)


def _make_head_linear(network: nn.Module) -> None:
    last = head(network)
    if last.bias is None:
        last.bias = nn.Parameter(torch.zeros(len(last.weight)))
    if isinstance(last, nn.Conv2d):
        *path, position = head_name(network).split(".")
        container = network.get_submodule(".".join(path))
        setattr(container, str(int(position) + 1), nn.Identity())


def head_name(network: nn.Module) -> str:
    """The dotted name of the layer that gives the class scores: the last Linear or Conv2d of the network."""
    layers: list[str] = [name for name, layer in network.named_modules() if isinstance(layer, nn.Linear | nn.Conv2d)]
    return layers[-1]


def head(network: nn.Module) -> nn.Linear | nn.Conv2d:
    """The layer that gives the class scores."""
    layer = network.get_submodule(head_name(network))
    assert isinstance(layer, nn.Linear | nn.Conv2d)
    return layer


def features(network: nn.Module, model_input: Float[Tensor, "n c s s"]) -> Float[Tensor, "n d"]:
    """The input of the head, averaged over height and width where the head is a convolution (SqueezeNet)."""
    head_inputs: list[Tensor] = []
    hook = head(network).register_forward_pre_hook(lambda _, inputs: head_inputs.append(inputs[0]))
    try:
        # Calling a compiled network would run code that may have been compiled without the hook.
        network.forward(model_input)
    finally:
        hook.remove()
    (before_head,) = head_inputs
    return before_head.mean(dim=(2, 3)) if before_head.ndim == 4 else before_head


def set_head(network: nn.Module, weight: Float[Tensor, "k d"], bias: Float[Tensor, " k"]) -> None:
    """Copy a linear classifier of the features into the head: logits = weight @ features + bias."""
    layer = head(network)
    assert layer.bias is not None
    with torch.no_grad():
        layer.weight.copy_(weight.reshape(layer.weight.shape))
        layer.bias.copy_(bias)


def load_backbone(network: nn.Module, weights: Mapping[str, Tensor]) -> None:
    """Load all weights but those of the head, whose number of classes may differ.

    For a network with one input channel the first layer's weights are summed over the colours: for a grey picture this
    gives what they give for three equal channels. Raises BadWeights when anything else differs.
    """
    name, stem = head_name(network), f"{_stem_name(network)}.weight"
    state = network.state_dict()
    backbone = {key: tensor for key, tensor in weights.items() if not key.startswith(f"{name}.")}
    if stem in backbone and state[stem].shape[1] == 1 and backbone[stem].shape[1:2] == (3,):
        backbone[stem] = backbone[stem].sum(dim=1, keepdim=True)
    required = {key for key in state if not key.startswith(f"{name}.")}
    load_exactly(network, {**state, **backbone}, missing=required - set(backbone))


def load_exactly(network: nn.Module, weights: Mapping[str, Tensor], missing: set[str] | None = None) -> None:
    """Load weights whose names and shapes must be exactly those of the network.

    `missing` are the names that the caller knows to be missing, by default those that the network alone has. Raises
    BadWeights, which names the first few of each fault.
    """
    state = network.state_dict()
    # num_batches_tracked is a counter that evaluation does not read, and older files lack it.
    missing = {key for key in (missing or set(state) - set(weights)) if not key.endswith("num_batches_tracked")}
    surplus = set(weights) - set(state)
    shapes = {key for key in set(state) & set(weights) if state[key].shape != weights[key].shape}
    if missing or surplus or shapes:
        faults = {"missing": missing, "unknown": surplus, "of another shape": shapes}
        details = [f"{len(keys)} {fault}: {', '.join(sorted(keys)[:3])}" for fault, keys in faults.items() if keys]
        raise BadWeights(f"these weights are not of this architecture ({'; '.join(details)})")
    network.load_state_dict(dict(weights), strict=False)


def _check_name(architecture: str) -> None:
    if architecture not in architectures():
        raise UnknownArchitecture(
            f"torchvision has no classifier called {architecture[:100]!r}; it has: {', '.join(architectures())}"
        )

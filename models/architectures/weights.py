"""Loading weights into a network: exactly those that it has, or all but those of its head."""

from collections import OrderedDict
from collections.abc import Callable, Mapping

from torch import Tensor, nn

from models.architectures.errors import BadWeights
from models.architectures.heads import head_name
from models.architectures.without_memory import without_memory
from models.largest_tensor import TooLarge
from models.printable import printable

MARGIN = 1_000_000
"""Numbers that a network may have beside its weights, such as tables of positions."""

MORE_TENSORS = 2000
"""Tensors that a network may make beside four for each weight in the file; with millions it would never be built."""


def stem_name(network: nn.Module) -> str:
    """The dotted name of the layer that reads the pixels: the first Conv2d of the network; empty if it has none."""
    names: list[str] = [name for name, layer in network.named_modules() if isinstance(layer, nn.Conv2d)]
    return names[0] if names else ""


def sketch(weights: Mapping[str, Tensor], build: Callable[[], nn.Module]) -> nn.Module:
    """The network that `build` makes, without memory for its weights, to look at before it is made.

    Raises BadWeights for one with more than twice as many numbers as there are weights, and what `build` raises: a
    configuration from anywhere may describe a network that fills the memory.
    """
    try:
        most = MARGIN + 2 * sum(tensor.numel() for tensor in weights.values())
        with without_memory(most, tensors=MORE_TENSORS + 4 * len(weights)):
            return build()
    except TooLarge as error:
        raise BadWeights(str(error)) from error


def load_backbone(network: nn.Module, weights: Mapping[str, Tensor]) -> None:
    """Load all weights but those of the head, whose number of classes may differ.

    For a network with one input channel the first layer's weights are summed over the colours: for a grey picture this
    gives what they give for three equal channels. Raises BadWeights when anything else differs.
    """
    name, stem = head_name(network), f"{stem_name(network)}.weight"
    state = network.state_dict()
    backbone = {key: tensor for key, tensor in weights.items() if not key.startswith(f"{name}.")}
    if stem in backbone and stem in state and state[stem].shape[1] == 1 and backbone[stem].shape[1:2] == (3,):
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
    whole = [key for key in set(state) & set(weights) if _is_float(state[key]) and not _is_float(weights[key])]
    if whole:
        raise BadWeights(
            f"{len(whole)} of these weights, such as {_shown(min(whole))}, are whole numbers, as those of quantised "
            "networks, whose scale is elsewhere: save the network with its weights in float32 or float16"
        )
    shapes = {key for key in set(state) & set(weights) if state[key].shape != weights[key].shape}
    if missing or surplus or shapes:
        faults = {"missing": missing, "unknown": surplus, "of another shape": shapes}
        details = [
            f"{len(keys)} {fault}: {', '.join(map(_shown, sorted(keys)[:3]))}" for fault, keys in faults.items() if keys
        ]
        raise BadWeights(f"these weights are not of this architecture ({'; '.join(details)})")
    current = OrderedDict(weights)
    # Without the versions of its layers MNASNet takes no weights, and others take them as those of older versions.
    current._metadata = state._metadata  # type: ignore[attr-defined]
    network.load_state_dict(current, strict=False)


def _shown(key: str) -> str:
    """The key of a weight in a message: a file may have any text in it."""
    return printable(key[:100])


def _is_float(tensor: Tensor) -> bool:
    return tensor.is_floating_point() or tensor.is_complex()

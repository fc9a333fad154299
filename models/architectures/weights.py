"""Loading weights into a network: exactly those that it has, or all but those of its head."""

from collections.abc import Mapping

from torch import Tensor, nn

from models.architectures.errors import BadWeights
from models.architectures.heads import head_name


def stem_name(network: nn.Module) -> str:
    """The dotted name of the layer that reads the pixels: the first Conv2d of the network."""
    names: list[str] = [name for name, layer in network.named_modules() if isinstance(layer, nn.Conv2d)]
    return names[0]


def load_backbone(network: nn.Module, weights: Mapping[str, Tensor]) -> None:
    """Load all weights but those of the head, whose number of classes may differ.

    For a network with one input channel the first layer's weights are summed over the colours: for a grey picture this
    gives what they give for three equal channels. Raises BadWeights when anything else differs.
    """
    name, stem = head_name(network), f"{stem_name(network)}.weight"
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

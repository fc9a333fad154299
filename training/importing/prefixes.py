"""Takes the prefixes off the names of weights that wrappers around a network have added."""

import re
from collections.abc import Iterator, Mapping

from torch import Tensor

from models.printable import printable

PREFIXES = ("module.", "_forward_module.", "model.", "net.", "network.", "backbone.")
"""Beginnings of keys that wrappers add: DataParallel, DeepSpeed, Lightning modules."""
INSIDE = re.compile(r"\b(?:_orig_mod|_fsdp_wrapped_module|_checkpoint_wrapped_module)\.")
"""What torch.compile, FSDP and activation checkpointing add anywhere in a key."""
OF_LAYERS = ("bias", "running_mean", "running_var")
"""Names of weights of one dimension that layers have, such as norms, and losses and metrics do not."""
MOST = 8
"""Largest number of prefixes that are taken off one after the other."""


def unwrapped(weights: Mapping[str, Tensor]) -> Iterator[tuple[dict[str, Tensor], tuple[str, ...]]]:
    """The weights as they are, and then without what wrappers have added to their names, step by step.

    A network whose own names have such a part is found in the first form that fits it. The counter of averaged weights
    is left out. The last forms leave out what is beside the network in the same module, such as a loss or a metric,
    and have a warning that says so; there are none if it could be a layer, such as a head.
    """
    current = {key: tensor for key, tensor in weights.items() if key != "n_averaged"}
    yield current, ()
    inner = {INSIDE.sub("", key): tensor for key, tensor in current.items()}
    if len(inner) == len(current) and list(inner) != list(current):
        current = inner
        yield current, ()
    for form in _without_prefixes(current):
        yield form, ()
        current = form
    for prefix in PREFIXES:
        inside = {key.removeprefix(prefix): tensor for key, tensor in current.items() if key.startswith(prefix)}
        others = {key: tensor for key, tensor in current.items() if not key.startswith(prefix)}
        if inside and others and not _have_a_layer(others):
            names = ", ".join(printable(key[:100]) for key in list(others)[:3]) + (", ..." if len(others) > 3 else "")
            warning = (
                f"weights that do not begin with {prefix!r} are left out ({len(others)}: {names}), as those of a loss "
                "or a metric"
            )
            yield inside, (warning,)
            yield from ((form, (warning,)) for form in _without_prefixes(inside))


def _without_prefixes(weights: dict[str, Tensor]) -> Iterator[dict[str, Tensor]]:
    for _ in range(MOST):
        prefix = next((prefix for prefix in PREFIXES if all(key.startswith(prefix) for key in weights)), None)
        if prefix is None or not weights:
            return
        weights = {key.removeprefix(prefix): tensor for key, tensor in weights.items()}
        yield weights


def _have_a_layer(weights: Mapping[str, Tensor]) -> bool:
    """Whether one of them may be of a layer: a matrix, a bias, or the statistics of a norm."""
    return any(
        tensor.is_floating_point() and (tensor.ndim > 1 or key.rpartition(".")[2] in OF_LAYERS)
        for key, tensor in weights.items()
    )

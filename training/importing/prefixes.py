"""Takes the prefixes off the names of weights that wrappers around a network have added."""

import itertools
import re
from collections.abc import Iterator, Mapping

from torch import Tensor

PREFIXES = ("module.", "_forward_module.", "model.", "net.", "network.", "backbone.")
"""Beginnings of keys that wrappers add: DataParallel, DeepSpeed, Lightning modules."""
INSIDE = re.compile(r"\b(?:_orig_mod|_fsdp_wrapped_module|_checkpoint_wrapped_module)\.")
"""What torch.compile, FSDP and activation checkpointing add anywhere in a key, and no network has itself."""


def unwrapped(weights: Mapping[str, Tensor]) -> Iterator[tuple[dict[str, Tensor], tuple[str, ...]]]:
    """The weights as they are, and then without the prefixes that wrappers have added, one after the other.

    A network whose own keys all begin with a prefix is found in the first form that fits it. The counter of
    averaged weights is left out. The last forms leave out what is beside the network in the same module, such as a
    loss or a metric, and have a warning that says so.
    """
    forms = [*_without_prefixes({INSIDE.sub("", key): weights[key] for key in weights if key != "n_averaged"})]
    yield from ((form, ()) for form in forms)
    current = forms[-1]
    for prefix in PREFIXES:
        inside = {key: tensor for key, tensor in current.items() if key.startswith(prefix)}
        others = [key for key in current if key not in inside]
        if not inside or not others:
            continue
        names = ", ".join(name[:100] for name in others[:3]) + (", ..." if len(others) > 3 else "")
        warning = f"weights that do not begin with {prefix!r} are left out ({len(others)}: {names})"
        for form in itertools.islice(_without_prefixes(inside), 1, None):
            yield form, (warning,)


def _without_prefixes(current: dict[str, Tensor]) -> Iterator[dict[str, Tensor]]:
    while True:
        yield current
        prefix = next((prefix for prefix in PREFIXES if all(key.startswith(prefix) for key in current)), None)
        if prefix is None or not current:
            return
        current = {key.removeprefix(prefix): tensor for key, tensor in current.items()}

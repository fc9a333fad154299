"""Building networks to look at the names and shapes of their weights, without memory for them."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch.overrides import TorchFunctionMode


class _EmptyOnMeta(TorchFunctionMode):
    """Weights begin as torch.empty; on the device `meta` they take no memory, and initialising them takes no time.

    Other tensors are made as usual, since some networks compute their shapes from them (RegNet).
    """

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        given = dict(kwargs or {})
        if func is torch.empty:
            given["device"] = "meta"
        return func(*args, **given)


@contextmanager
def without_memory() -> Iterator[None]:
    """Networks that are built in the `with` block have weights without values."""
    with _EmptyOnMeta():
        yield

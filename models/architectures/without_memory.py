"""Building networks to look at the names and shapes of their weights, without memory for them."""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from models.largest_tensor import LargestTensor, TooLarge

CREATORS = (torch.empty, torch.zeros, torch.ones, torch.randn, torch.rand)
"""Functions with which networks make their weights."""
FILLERS = {
    *("normal_", "uniform_", "constant_", "kaiming_normal_", "kaiming_uniform_", "fill_", "zero_"),
    *("mul_", "add_", "clamp_", "erfinv_"),  # with which values from a truncated normal distribution are made
}
"""Names of functions and methods that give values to weights. On `meta` they change nothing, and take most of the
time."""


class _EmptyOnMeta(TorchFunctionMode):
    """Weights begin as torch.empty; on the device `meta` they take no memory, and are not initialised.

    Other tensors are made as usual, since some networks compute their shapes from them (RegNet).
    """

    def __init__(self, most: int | None, tensors: int | None) -> None:
        super().__init__()
        self.left, self.tensors_left = most, tensors

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        given = dict(kwargs or {})
        if getattr(func, "__name__", "") in FILLERS:
            filled = args[0] if args else given.get("tensor")
            if isinstance(filled, Tensor) and filled.is_meta and not any(map(torch.is_tensor, args[1:])):
                return filled
        if self.tensors_left is not None and func in CREATORS:
            self.tensors_left -= 1
            if self.tensors_left < 0:
                raise TooLarge("the network has far more parts than there are weights")
        if self.left is not None and func in CREATORS:
            self.left -= func(*args, **{**given, "device": "meta"}).numel()
            if self.left < 0:
                raise TooLarge("the network has far more numbers than there are weights")
        if func is torch.empty:
            given["device"] = "meta"
        return func(*args, **given)


@contextmanager
def without_memory(most: int | None = None, *, tensors: int | None = None) -> Iterator[None]:
    """Networks that are built in the `with` block have weights without values.

    Raises TooLarge, before there is memory for them, if they have more than `most` numbers, if one of the tensors that
    they compute has, or if they make more than so many `tensors`.
    """
    with nullcontext() if most is None else LargestTensor(most), _EmptyOnMeta(most, tensors):
        yield

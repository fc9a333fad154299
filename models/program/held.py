"""Counts the memory that a pass through a program takes."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_leaves

from models.largest_tensor import TooLarge

LARGEST_PASS = 2**33
"""Largest number of bytes of the values that a pass has at the same time."""


class Held:
    """Counts the bytes of the values that a pass has at the same time, without those of the network's weights."""

    def __init__(self, weights: Sequence[Tensor]) -> None:
        self._weights = {tensor.untyped_storage()._cdata for tensor in weights}
        self._users: Counter[int] = Counter()
        self._bytes = 0

    def after(self, results: Sequence[int], last: Sequence[int], registers: Sequence[Any]) -> None:
        """Add the `results` of a step, and take away the `last` values that are not read afterwards; raises TooLarge.

        Both are places in `registers`.
        """
        for storage in self._storages(registers, results):
            self._bytes += 0 if self._users[storage._cdata] else storage.nbytes()
            self._users[storage._cdata] += 1
        if self._bytes > LARGEST_PASS:
            raise TooLarge(f"the network has {self._bytes / 2**30:.1f} GiB of values at the same time, too many")
        for storage in self._storages(registers, last):
            if self._users[storage._cdata]:
                self._users[storage._cdata] -= 1
                self._bytes -= 0 if self._users[storage._cdata] else storage.nbytes()

    def _storages(self, registers: Sequence[Any], numbers: Sequence[int]) -> Iterator[torch.UntypedStorage]:
        """The storages of the values in these registers. Views share that of their base."""
        for value in tree_leaves([registers[number] for number in numbers if number >= 0]):
            if isinstance(value, Tensor) and value.untyped_storage()._cdata not in self._weights:
                yield value.untyped_storage()

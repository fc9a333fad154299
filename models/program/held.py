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
        self._counted: dict[tuple[int, int], list[tuple[int, int]]] = {}
        self._bytes = 0

    def after(self, results: Sequence[int], last: Sequence[int], registers: Sequence[Any]) -> None:
        """Add the `results` of a step, and take away the `last` values that are not read afterwards; raises TooLarge.

        Both are places in `registers`, -1 for a result that does not exist. What was added for a place is taken away,
        whatever hooks have put there.
        """
        for number in results:
            if number < 0:
                continue
            counted = self._counted[id(registers), number] = []
            for storage in self._storages(registers[number]):
                counted.append((storage._cdata, storage.nbytes()))
                self._bytes += 0 if self._users[storage._cdata] else storage.nbytes()
                self._users[storage._cdata] += 1
        if self._bytes > LARGEST_PASS:
            raise TooLarge(f"the network has {self._bytes / 2**30:.1f} GiB of values at the same time, too many")
        for number in last:
            for storage_id, size in self._counted.pop((id(registers), number), ()):
                self._users[storage_id] -= 1
                self._bytes -= 0 if self._users[storage_id] else size

    def _storages(self, values: Any) -> Iterator[torch.UntypedStorage]:
        """The storages of the tensors among the values. Views share that of their base."""
        for value in tree_leaves(values):
            if isinstance(value, Tensor) and value.untyped_storage()._cdata not in self._weights:
                yield value.untyped_storage()

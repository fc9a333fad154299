"""The count of the bytes that a pass has at the same time."""

import pytest
import torch

from models.largest_tensor import TooLarge
from models.program import held
from models.program.held import Held


def test_bytes_are_counted_until_nothing_reads_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 100 bytes: weights do not count, a view counts as its base, and what is freed makes room."""
    monkeypatch.setattr(held, "LARGEST_PASS", 100)
    weight, first, second = torch.zeros(1000), torch.zeros(15), torch.zeros(11)
    registers = [weight, first, first[3:], second, None]
    count = Held([weight])
    count.after([0], [], registers)
    count.after([1, -1], [], registers)  # 60 bytes
    count.after([2], [1], registers)  # the view keeps them
    with pytest.raises(TooLarge, match="too many"):
        count.after([3], [], registers)  # 60 + 44
    count = Held([weight])
    count.after([1], [1], registers)
    count.after([3], [3], registers)
    count.after([3, 4], [], registers)

"""Random numbers by their seed."""

import time
from concurrent.futures import ThreadPoolExecutor

import torch

from soak.seeded import seeded


def drawn(seed: int) -> list[float]:
    """Return three numbers; other threads may draw theirs in the pauses."""
    numbers = []
    with seeded(seed):
        for _ in range(3):
            numbers.append(torch.rand(()).item())
            time.sleep(0.01)
    return numbers


def test_threads_draw_what_each_would_draw_alone() -> None:
    alone = [drawn(seed) for seed in range(4)]
    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(drawn, range(4))) == alone
    assert len({tuple(numbers) for numbers in alone}) == 4

"""The same random weights each time, on whichever threads they are drawn."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import torch

_DRAWING = threading.Lock()


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """PyTorch's random numbers begin with the seed, and go on as before after the block.

    All threads share them, so blocks on several threads run one after the other. Saving a checkpoint draws some, too,
    for the network that is read back.
    """
    with _DRAWING, torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield

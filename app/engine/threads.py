"""Which threads of the process compute in parallel: the engine's, and at the start the one that loads the models.

PyTorch computes on the CPU with OpenMP, and each thread that calls it gets OpenMP threads of its own. GNU's OpenMP lets
a thread that waits for the others spin, as long as a process has no more OpenMP threads than the machine has cores.
With more, they sleep at once, and waking them costs more than a layer of a small network takes: a pass of one row takes
about twice as long (docs/decisions/0045). So all other threads, which decode, resize and write pictures, compute alone.
"""

import threading

import torch


def compute_in_parallel(count: int) -> None:
    """Let the calling thread compute on `count` CPU threads, and threads that have not computed yet on one."""
    _begin()
    torch.set_num_threads(count)
    # The call also sets what other threads begin with, and another thread's call sets that back.
    other = threading.Thread(target=compute_alone)
    other.start()
    other.join()


def compute_alone() -> None:
    """Let the calling thread, and threads that have not computed yet, compute on one CPU thread."""
    _begin()
    torch.set_num_threads(1)


def _begin() -> None:
    """Let PyTorch set the default number now: it does so when a thread first computes, which would undo ours."""
    torch.get_num_threads()

"""Processes that decode pictures beside the training; it is imported before torch is."""

import atexit
import gc
import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import connection, forkserver
from multiprocessing.context import BaseContext


@contextmanager
def quick_imports() -> Iterator[None]:
    """Within it the garbage collector does not look through what torch defines again and again, nor after it: a quarter
    of the time that the imports take."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
        atexit.register(gc.unfreeze)  # triton's bindings take what is not collected at the end for a leak, and say so


def context() -> BaseContext:
    """How worker processes start: from a server that has imported torch but run nothing in it, where there is one.

    A plain fork would copy a process whose OpenMP threads are alive, and may hang; a plain spawn imports torch again
    in every worker.
    """
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    found = multiprocessing.get_context("forkserver")
    found.set_forkserver_preload(["training.data.loading.preload"])
    return found


def warm_up() -> None:
    """Let the server of workers begin to import torch, which takes seconds, while this process does other things."""
    if context().get_start_method() == "forkserver":
        forkserver.ensure_running()


def begin_worker(number: int = 0) -> None:
    """Run first in a worker: one thread, after the network's own, deaf to Ctrl-C, and an end when the training process
    ends, even by kill -9.

    DataLoader's own watch looks at the process that forked the worker, which here is the server: worker and server
    would each wait for the other's end.
    """
    import torch

    torch.set_num_threads(1)
    if hasattr(os, "nice"):
        # Where the network computes on the same cores, each of its threads waits for the one that a worker displaces.
        os.nice(10)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the workers too; the training process ends them
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    connection.wait([parent.sentinel])
    os._exit(1)


def default_workers() -> int:
    """As many as there are processor cores that this process may use, eight at most."""
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(usable, 8)

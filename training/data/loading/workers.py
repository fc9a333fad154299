"""Worker processes that decode pictures. Imported before torch, therefore it must not import torch at its top."""

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
    """Switch off the garbage collector while large libraries are imported, and exempt their objects from it afterwards.

    This saves a quarter of the time of the imports.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
        atexit.register(gc.unfreeze)  # else triton's bindings report a memory leak at exit


def worker_context() -> BaseContext:
    """How worker processes are started: by a fork server that has imported torch and done nothing else, if possible.

    A plain fork copies a process with running OpenMP threads and may hang; a plain spawn imports torch again in every
    worker.
    """
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    fork_server = multiprocessing.get_context("forkserver")
    fork_server.set_forkserver_preload(["training.data.loading.preload"])
    return fork_server


def warm_up() -> None:
    """Start the fork server, which imports torch for seconds while this process does other things."""
    if worker_context().get_start_method() == "forkserver":
        forkserver.ensure_running()


def begin_worker(number: int = 0) -> None:
    """Set up a worker process: one thread, low priority, Ctrl-C ignored, and exit when the training process ends.

    It exits even if the training process was killed by SIGKILL. The check in DataLoader watches the process that forked
    the worker, which here is the fork server: worker and server would each wait for the other to end.
    """
    import torch

    torch.set_num_threads(1)
    if hasattr(os, "nice"):
        # When the network computes on the same cores, one thread that a worker displaces delays all the others.
        os.nice(10)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches workers too; the training process stops them
    threading.Thread(target=_exit_with_parent, daemon=True).start()


def _exit_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    connection.wait([parent.sentinel])
    os._exit(1)


def default_workers() -> int:
    """Number of worker processes by default: the processor cores that this process may use, eight at most."""
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(usable, 8)

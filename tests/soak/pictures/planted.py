"""Decoders with faults, which a run must find; `soak.pictures.worker` calls them in a process of its own."""

import os
import signal
import time
from types import SimpleNamespace
from typing import Any

import numpy as np


def small(data: bytes, admit: Any) -> Any:
    """A picture of 2 x 3 pixels for every file, without a fault."""
    admit(6)
    return SimpleNamespace(values=np.zeros((3, 2, 3), np.uint8))


def larger_than_asked(data: bytes, admit: Any) -> Any:
    """It asks for 5 pixels, and returns 6."""
    admit(5)
    return SimpleNamespace(values=np.zeros((3, 2, 3), np.uint8))


def slow(data: bytes, admit: Any) -> Any:
    """It computes for 2.2 s."""
    until = time.process_time() + 2.2
    while time.process_time() < until:
        pass
    return small(data, admit)


def greedy(data: bytes, admit: Any) -> Any:
    """It takes 300 MB for a small picture."""
    np.ones(300_000_000, np.uint8)
    return small(data, admit)


def failing(data: bytes, admit: Any) -> Any:
    """It raises an error that is none of the documented ones."""
    raise KeyError("a table is missing")


def crashing(data: bytes, admit: Any) -> Any:
    """It ends its process, as a fault in a library's machine code does, at files of an even number of bytes."""
    if len(data) % 2 == 0:
        os.kill(os.getpid(), signal.SIGSEGV)
    return small(data, admit)

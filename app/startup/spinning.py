"""How long the threads of a pass wait for each other at full speed before they sleep."""

import os

VARIABLE, POLICY = "GOMP_SPINCOUNT", "OMP_WAIT_POLICY"
"""The variables that GNU's OpenMP, with which PyTorch computes on Linux, reads when PyTorch is imported."""
SPINS = 2000
"""Turns of an empty loop, by GNU's estimate 20 microseconds. OpenMP's default, 300,000, takes milliseconds. If other
programs keep the cores busy, a thread that is waited for has to wait itself, and passes take up to thirty times as
long (docs/decisions/0045)."""


def spin_briefly() -> None:
    """Limit the time of spinning, unless the environment sets one. Call this before PyTorch is imported."""
    if POLICY not in os.environ:
        os.environ.setdefault(VARIABLE, str(SPINS))

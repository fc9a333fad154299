"""Imports what the service can be ready without, so that no request waits for it."""

import importlib

import torch

LATE = ("models.attacks.perception", "models.attacks.plot", "models.feature_sheet")
"""Modules that import scikit-image, SciPy or matplotlib: those that describe attacks and draw plots."""


def import_late() -> None:
    """Import the modules of LATE and PyTorch's compiler; this takes a second or two, in which other threads go on."""
    for name in LATE:
        importlib.import_module(name)
    # The first optimiser of a process imports the compiler, to keep itself out of it; ideal pictures have one.
    torch.optim.SGD([torch.zeros(1)], lr=1.0)

"""Imports what the service can be ready without, so that no request waits for it."""

import importlib

LATE = ("models.attacks.perception", "models.attacks.plot", "models.feature_sheet")
"""Modules that import scikit-image, SciPy or matplotlib: those that describe attacks and draw plots."""


def import_late() -> None:
    """Import the modules of LATE, while other threads go on."""
    for name in LATE:
        importlib.import_module(name)

"""The same sums are rounded in the same way each time, so that the same request draws the same picture."""

import os

VARIABLE = "MKL_CBWR"
"""What Intel's Math Kernel Library reads, with which PyTorch multiplies matrices and transforms spectra on a CPU."""
REPRODUCIBLE = "AUTO,STRICT"
"""The fastest instructions of this processor, in an order of the sums that does not depend on where in memory the
numbers lie (Intel oneMKL Developer Guide, "Conditional Numerical Reproducibility")."""


def round_alike() -> None:
    """Ask for reproducible sums, unless the environment asks for something else. Call this before any computation."""
    os.environ.setdefault(VARIABLE, REPRODUCIBLE)

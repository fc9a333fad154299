"""Imports what the service can be ready without, so that few requests wait for it."""

import importlib
import time
from collections.abc import Callable

LATE = ("models.attacks.perception", "models.attacks.curves.plot", "models.feature_sheet")
"""Modules that import scikit-image, SciPy or matplotlib: those that describe attacks and draw plots."""
IDLE_S, WAIT_S = 0.5, 10.0
"""Seconds without a task after which a module is imported, and seconds after which it is imported in any case."""
LOOK_S = 0.05
"""Seconds between two looks at whether the service is busy."""


def import_late(is_busy: Callable[[], bool]) -> None:
    """Import the modules of LATE, each when the service has been idle for a moment.

    An import takes the interpreter lock from a task that runs meanwhile: an attack beside the imports took about 1.2
    times as long as one that imported at its end what it needed (docs/decisions/0042). A request that needs a module
    earlier imports it itself.
    """
    for name in LATE:
        _wait_until_idle(is_busy)
        importlib.import_module(name)


def _wait_until_idle(is_busy: Callable[[], bool]) -> None:
    idle_since = begun = time.monotonic()
    while idle_since + IDLE_S > time.monotonic() and begun + WAIT_S > time.monotonic():
        time.sleep(LOOK_S)
        if is_busy():
            idle_since = time.monotonic()

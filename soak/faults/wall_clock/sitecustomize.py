"""Python imports this at the start of each process that has the folder in PYTHONPATH: it moves the time of day.

The file that SOAK_WALL_CLOCK names has the seconds to add. Clocks that only go forward are left alone.
"""

import os
import time

_time, _time_ns = time.time, time.time_ns


def _shift() -> int:
    try:
        with open(os.environ["SOAK_WALL_CLOCK"], encoding="utf-8") as file:
            return int(file.read())
    except (KeyError, OSError, ValueError):
        return 0


def _moved() -> float:
    return _time() + _shift()


def _moved_ns() -> int:
    return _time_ns() + _shift() * 1_000_000_000


time.time, time.time_ns = _moved, _moved_ns

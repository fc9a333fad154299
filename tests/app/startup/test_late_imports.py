"""Tests that the libraries that the service can be ready without are imported after that, when it is idle."""

import subprocess
import sys

import pytest

from app.startup import late_imports
from app.startup.late_imports import IDLE_S, WAIT_S, import_late
from tests.clock import Clock

PROGRAM = """
import sys
import app.main
from app.startup.late_imports import import_late

libraries = ["skimage", "scipy", "matplotlib.figure"]
assert not any(name in sys.modules for name in libraries)
import_late(lambda: False)
assert all(name in sys.modules for name in libraries)
"""


def test_libraries_of_attacks_and_plots_are_imported() -> None:
    subprocess.run([sys.executable, "-c", PROGRAM], check=True)


class SleepingClock(Clock):
    """A clock that sleeping moves."""

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.mark.parametrize(
    ("busy_until", "begins"), [(0.0, IDLE_S), (3.0, 3.0 + IDLE_S), (1e9, WAIT_S)], ids=["idle", "for a while", "always"]
)
def test_imports_wait_until_the_service_is_idle(
    busy_until: float, begins: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first module is imported half a second after the last task, and in the end though tasks keep running."""
    clock, imported = SleepingClock(), dict[str, float]()
    monkeypatch.setattr(late_imports, "time", clock)
    monkeypatch.setattr(late_imports, "LATE", ("first", "second"))
    monkeypatch.setattr(
        late_imports.importlib, "import_module", lambda name: imported.setdefault(name, clock.monotonic())
    )
    import_late(lambda: clock.now < busy_until)
    assert list(imported) == ["first", "second"]
    assert imported["first"] == pytest.approx(begins, abs=0.11)

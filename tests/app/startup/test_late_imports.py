"""Tests that all modules with libraries that the service can be ready without are imported after that."""

import subprocess
import sys

PROGRAM = """
import sys
import app.main
from app.startup.late_imports import import_late

libraries = ["skimage", "scipy", "matplotlib.figure"]
assert not any(name in sys.modules for name in libraries)
import_late()
assert all(name in sys.modules for name in libraries)
"""


def test_libraries_of_attacks_and_plots_are_imported() -> None:
    subprocess.run([sys.executable, "-c", PROGRAM], check=True)

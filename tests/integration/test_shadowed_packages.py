"""The service's packages have common names: another `models` in their place is noticed, and not used half."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration.project import REPOSITORY


def imported(module: str, folder: Path, *options: str) -> "subprocess.CompletedProcess[str]":
    """Import a module of the project in a folder, where the project is installed."""
    program = f"import sys; sys.path.append({str(REPOSITORY)!r}); import {module}"
    return subprocess.run([sys.executable, *options, "-c", program], cwd=folder, capture_output=True, text=True)


@pytest.mark.parametrize("module", ["app", "training"])
@pytest.mark.parametrize("kind", ["package", "module", "folder"])
def test_another_package_models_is_named(module: str, kind: str, tmp_path: Path) -> None:
    """A package, a file or a mere folder of this name in the working directory goes before what is installed.

    A folder without __init__.py does not, as long as a package of this name is installed.
    """
    if kind == "module":
        (tmp_path / "models.py").touch()
    else:
        (tmp_path / "models").mkdir()
        if kind == "package":
            (tmp_path / "models" / "__init__.py").touch()
    done = imported(module, tmp_path)
    if kind == "folder":
        assert done.returncode == 0, done.stderr
    else:
        assert done.returncode != 0
        last = done.stderr.splitlines()[-1]
        assert last.startswith("ImportError: Mirage needs its own package") and str(tmp_path) in last
        assert "python -P" in last
        assert imported(module, tmp_path, "-P").returncode == 0

"""Tests of the time that threads spin: it is short, unless the environment says otherwise."""

import subprocess
import sys

import pytest

from app.startup.spinning import SPINS, spin_briefly


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, str(SPINS)),
        ({"GOMP_SPINCOUNT": "7"}, "7"),
        ({"OMP_WAIT_POLICY": "active"}, None),
    ],
)
def test_the_environment_decides_before_the_service(
    environment: dict[str, str], expected: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    changed = dict(environment)
    monkeypatch.setattr("os.environ", changed)
    spin_briefly()
    assert changed.get("GOMP_SPINCOUNT") == expected


def test_it_can_be_called_before_pytorch_is_imported() -> None:
    code = "import sys, app.startup.spinning; print('torch' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "False"

"""python -m app: the greeting, and settings that cannot be."""

import os
import subprocess
import sys
from pathlib import Path

import torch

from app.__main__ import greeting
from app.registry import Registry
from app.settings import Settings


def test_the_greeting_names_address_and_lines_to_try(checkpoints: Path) -> None:
    registry = Registry(("tiny", "lost"), folder=checkpoints, device=torch.device("cpu"))
    registry.load_all()
    told = greeting(Settings(_env_file=None, host="0.0.0.0", port=8001), registry)
    assert "Mirage serves tiny on cpu at http://127.0.0.1:8001" in told
    assert [line.split()[0] for line in told.splitlines()[1:]] == ["curl"] * 3
    assert "http://127.0.0.1:8001/ideal/cat" in told


def test_the_greeting_says_when_the_default_is_missing(checkpoints: Path) -> None:
    registry = Registry(("lost", "tiny"), folder=checkpoints, device=torch.device("cpu"))
    registry.load_all()
    assert "default model could not be loaded" in greeting(Settings(_env_file=None), registry)


def test_a_setting_that_cannot_be_is_one_line() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "app"],
        env={**os.environ, "MIRAGE_PORT": "70000"},
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 1 and done.stderr.startswith("mirage: MIRAGE_PORT: ")
    assert len(done.stderr.splitlines()) == 1

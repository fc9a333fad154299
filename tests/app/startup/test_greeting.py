"""Tests the text that is printed when the models are loaded."""

from pathlib import Path

import torch

from app.engine.registry import Registry
from app.settings import Settings
from app.startup.greeting import greeting


def test_the_greeting_names_the_address_and_commands_to_try(checkpoints: Path) -> None:
    registry = Registry(("tiny", "lost"), folder=checkpoints, device=torch.device("cpu"))
    registry.load_all()
    text = greeting(Settings(_env_file=None, host="0.0.0.0", port=8001), registry)
    assert "Mirage serves tiny on cpu at http://127.0.0.1:8001" in text
    assert [line.split()[0] for line in text.splitlines()[1:]] == ["curl"] * 3
    assert "http://127.0.0.1:8001/ideal/cat" in text
    text = greeting(Settings(_env_file=None, host="::1", port=8001, root_path="/m/"), registry)
    assert "at http://[::1]:8001/m (open it in a browser; http://[::1]:8001/m/docs" in text
    assert "'http://[::1]:8001/m/ideal/cat'" in text
    text = greeting(Settings(_env_file=None, host="unix:/run/m i.sock"), registry)
    assert text.splitlines()[0].endswith("at unix:/run/m i.sock")
    assert "curl --unix-socket '/run/m i.sock' -o ideal.png http://localhost/ideal/cat" in text


def test_the_greeting_says_if_the_default_model_is_missing(checkpoints: Path) -> None:
    registry = Registry(("lost", "tiny"), folder=checkpoints, device=torch.device("cpu"))
    registry.load_all()
    assert "default model could not be loaded" in greeting(Settings(_env_file=None), registry)

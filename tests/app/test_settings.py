"""Settings from the environment."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from app.settings import Settings


def test_the_environment_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MIRAGE_MODELS", "cats-dogs, imagenet/resnet18,")
    monkeypatch.setenv("MIRAGE_CHECKPOINTS", "somewhere")
    monkeypatch.setenv("MIRAGE_PORT", "9000")
    settings = Settings(_env_file=None)
    assert settings.models == ("cats-dogs", "imagenet/resnet18")
    assert (settings.checkpoints, settings.port) == (Path("somewhere"), 9000)


@pytest.mark.parametrize(
    ("name", "value"),
    [("PORT", "70000"), ("MAX_ROWS", "0"), ("DEVICE", "gpu"), ("DEADLINE_S", "-1"), ("LOG_LEVEL", "loud")],
)
def test_nonsense_is_refused_by_name(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"MIRAGE_{name}", value)
    with pytest.raises(ValidationError, match=name.lower()):
        Settings(_env_file=None)


def test_the_readme_lists_every_setting() -> None:
    readme = (Path(__file__).parents[2] / "README.md").read_text()
    for name in Settings.model_fields:
        assert f"`MIRAGE_{name.upper()}`" in readme

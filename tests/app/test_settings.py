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


def test_where_and_how_much_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """In the user's own cache folder without a setting; 0 bytes keep nothing."""
    monkeypatch.setenv("HOME", "/home/somebody")
    usual = Settings(_env_file=None)
    assert (usual.cache, usual.cache_bytes) == (Path("/home/somebody/.cache/mirage"), 256_000_000)
    monkeypatch.setenv("MIRAGE_CACHE", "/srv/kept")
    monkeypatch.setenv("MIRAGE_CACHE_BYTES", "0")
    settings = Settings(_env_file=None)
    assert (settings.cache, settings.cache_bytes) == (Path("/srv/kept"), 0)


def test_a_tilde_is_home_in_a_file_too(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Where no shell has read it."""
    monkeypatch.setenv("HOME", "/home/somebody")
    (tmp_path / ".env").write_text("MIRAGE_CACHE=~/kept\n")
    assert Settings(_env_file=tmp_path / ".env").cache == Path("/home/somebody/kept")


def test_a_user_without_a_home_has_settings_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """A container's user may have no entry in /etc/passwd."""

    def unknown(_: int) -> None:
        raise KeyError("no such user")

    monkeypatch.delenv("HOME")
    monkeypatch.setattr("pwd.getpwuid", unknown)
    assert Settings(_env_file=None).cache == Path("~/.cache/mirage")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORT", "70000"),
        ("CACHE_BYTES", "-1"),
        ("MAX_ROWS", "0"),
        ("DEVICE", "gpu"),
        ("DEADLINE_S", "-1"),
        ("LOG_LEVEL", "loud"),
    ],
)
def test_nonsense_is_refused_by_name(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"MIRAGE_{name}", value)
    with pytest.raises(ValidationError, match=name.lower()):
        Settings(_env_file=None)


def test_the_readme_lists_every_setting() -> None:
    readme = (Path(__file__).parents[2] / "README.md").read_text()
    for name in Settings.model_fields:
        assert f"`MIRAGE_{name.upper()}`" in readme


@pytest.mark.parametrize("host", ["", " "])
def test_an_empty_host_opens_nothing_to_the_network(host: str) -> None:
    """A variable that is set and empty, as by `MIRAGE_HOST=$UNSET`, is not the operating system's word for all."""
    assert Settings(_env_file=None, host=host).host == "127.0.0.1"

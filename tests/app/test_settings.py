"""Tests reading settings from the environment, and their descriptions."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from app.settings import Settings


def test_settings_are_read_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MIRAGE_MODELS", "cats-dogs, imagenet/resnet18,")
    monkeypatch.setenv("MIRAGE_CHECKPOINTS", "somewhere")
    monkeypatch.setenv("MIRAGE_PORT", "9000")
    settings = Settings(_env_file=None)
    assert settings.models == ("cats-dogs", "imagenet/resnet18")
    assert (settings.checkpoints, settings.port) == (Path("somewhere"), 9000)


def test_folder_and_size_of_the_cache_are_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """The default folder is in the home folder of the user; a size of 0 is allowed."""
    monkeypatch.setenv("HOME", "/home/somebody")
    defaults = Settings(_env_file=None)
    assert (defaults.cache, defaults.cache_bytes) == (Path("/home/somebody/.cache/mirage"), 256_000_000)
    monkeypatch.setenv("MIRAGE_CACHE", "/srv/kept")
    monkeypatch.setenv("MIRAGE_CACHE_BYTES", "0")
    settings = Settings(_env_file=None)
    assert (settings.cache, settings.cache_bytes) == (Path("/srv/kept"), 0)


def test_a_tilde_in_an_env_file_is_the_home_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No shell expands the tilde in a file, so the setting must do it."""
    monkeypatch.setenv("HOME", "/home/somebody")
    (tmp_path / ".env").write_text("MIRAGE_CACHE=~/kept\n")
    assert Settings(_env_file=tmp_path / ".env").cache == Path("/home/somebody/kept")


def test_without_a_home_folder_the_tilde_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    """The user of a container may have no entry in /etc/passwd; creating the settings must not fail."""

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
def test_the_error_of_a_wrong_value_names_the_setting(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"MIRAGE_{name}", value)
    with pytest.raises(ValidationError, match=name.lower()):
        Settings(_env_file=None)


@pytest.mark.parametrize("host", ["", " "])
def test_an_empty_host_means_localhost(host: str) -> None:
    """For the operating system an empty host means all addresses, so `MIRAGE_HOST=$UNSET` would open the service."""
    assert Settings(_env_file=None, host=host).host == "127.0.0.1"


@pytest.mark.parametrize("name", Settings.model_fields)
def test_every_setting_has_a_description_in_sentences(name: str) -> None:
    """A description starts with a capital letter, ends with a full stop and has at least 8 words."""
    description = Settings.model_fields[name].description or ""
    assert description[:1].isupper() and description.endswith(".") and len(description.split()) >= 8


@pytest.mark.parametrize(("value", "keys"), [("", ()), ("a", ("a",)), (" a, ,b,", ("a", "b"))])
def test_keys_in_the_environment(value: str, keys: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty text is what `docker compose` passes for a variable that is not set: there are no keys."""
    monkeypatch.setenv("MIRAGE_API_KEYS", value)
    assert Settings(_env_file=None).api_keys == keys


@pytest.mark.parametrize("value", [",", " , ", " ", ",,\t"])
def test_keys_that_are_none_are_refused(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """They would open the service to everybody, although somebody meant to close it."""
    monkeypatch.setenv("MIRAGE_API_KEYS", value)
    with pytest.raises(ValidationError, match="it is set, but contains no key: write at least one key, or remove"):
        Settings(_env_file=None)


def test_the_file_of_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """Empty means none; a tilde is the home folder."""
    monkeypatch.setenv("HOME", "/home/somebody")
    for value, file in (("", None), ("~/keys.toml", Path("/home/somebody/keys.toml")), ("k", Path("k"))):
        monkeypatch.setenv("MIRAGE_API_KEYS_FILE", value)
        assert Settings(_env_file=None).api_keys_file == file


def test_a_stop_leaves_time_after_the_drain() -> None:
    """At least as long as the drain itself."""
    assert Settings(_env_file=None, drain_s=10, stop_s=20).stop_s == 20
    with pytest.raises(ValidationError, match="19 is less than twice MIRAGE_DRAIN_S, which is 10: choose a larger"):
        Settings(_env_file=None, drain_s=10, stop_s=19)

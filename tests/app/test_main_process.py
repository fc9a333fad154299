"""Tests `python -m app` as a process: errors at its start."""

import socket
from pathlib import Path

import pytest

from app.__main__ import main
from tests.app.started import started


def test_a_port_in_use_is_reported_in_one_line(checkpoints: Path) -> None:
    """The exit code is 1, and there is no traceback."""
    with socket.create_server(("127.0.0.1", 0)) as occupied:
        port = str(occupied.getsockname()[1])
        with started(MIRAGE_CHECKPOINTS=str(checkpoints), MIRAGE_PORT=port) as process:
            _, errors = process.communicate(timeout=300)
    assert process.returncode == 1, errors
    assert errors.decode().startswith(f"mirage: MIRAGE_PORT: port {port} of 127.0.0.1 is in use")
    assert len(errors.splitlines()) == 1, errors


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("HOST", "no-such-host.invalid", "MIRAGE_HOST: 'no-such-host.invalid' cannot be resolved"),
        ("HOST", "unix:/nowhere/at/all/s", "MIRAGE_HOST: the unix socket /nowhere/at/all/s cannot be created"),
        (
            "HOST",
            "unix:",
            "MIRAGE_HOST: 'unix:' needs the path of a unix socket: set it for example to unix:/run/m",
        ),
        (
            "PORT",
            "70000",
            "MIRAGE_PORT: '70000' is not valid: Input should be less than or equal to 65535; choose",
        ),
        ("DEVICE", "gpu", "MIRAGE_DEVICE: 'gpu' is not valid: this value is not known; choose another value. Device"),
        ("CORS_ORIGINS", "localhost:3000", "MIRAGE_CORS_ORIGINS: 'localhost:3000' is not an origin: write only scheme"),
        ("ROOT_PATH", "//evil", "MIRAGE_ROOT_PATH: '//evil' is not a path prefix: write one such as /mirage"),
        ("FORWARDED_ALLOW_IPS", "proxy", "MIRAGE_FORWARDED_ALLOW_IPS: 'proxy' is not an IP address"),
        ("TRUSTED_HOSTS", "http://a", "MIRAGE_TRUSTED_HOSTS: 'http://a' is not a host name"),
        ("CHECKPOINTS", "/nowhere", "there is no checkpoint in /nowhere: train one"),
        ("API_KEYS", " ,", "MIRAGE_API_KEYS: it is set, but contains no key: write at least one key, or remove the"),
        ("API_KEYS_FILE", "/nowhere/k", "MIRAGE_API_KEYS_FILE: /nowhere/k cannot be read (No such file or directory)"),
        ("API_KEYS_FILE", "/", "MIRAGE_API_KEYS_FILE: / is not a file: name the file of API keys"),
    ],
)
def test_a_wrong_setting_is_reported_in_one_line(
    name: str, value: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SystemExit has the message as its code, so Python prints it to stderr and exits with code 1."""
    monkeypatch.setattr("app.__main__.signal.signal", lambda *_: None)
    monkeypatch.setattr("app.__main__._end_despite_threads", lambda: None)  # threads of other tests may be running
    monkeypatch.setattr("app.__main__.keep_freed_memory", lambda: None)
    monkeypatch.setenv("MIRAGE_PORT", "0")
    monkeypatch.setenv(f"MIRAGE_{name}", value)
    with pytest.raises(SystemExit) as system_exit:
        main()
    text = system_exit.value.code
    assert isinstance(text, str) and text.startswith(f"mirage: {message}") and "\n" not in text

"""Tests `python -m app` as a process: errors at its start, and how it ends."""

import os
import signal
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from app.__main__ import main
from models import checkpoint
from tests.app.live_service import TINY, lively_network

REPOSITORY = Path(__file__).parents[2]


def start(**settings: str) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        [sys.executable, "-m", "app"],
        env={**os.environ, "MIRAGE_PORT": "0", **settings},
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def test_a_port_in_use_is_reported_in_one_line(checkpoints: Path) -> None:
    """The exit code is 1, and there is no traceback."""
    with socket.create_server(("127.0.0.1", 0)) as occupied:
        port = str(occupied.getsockname()[1])
        process = start(MIRAGE_CHECKPOINTS=str(checkpoints), MIRAGE_PORT=port)
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


@pytest.mark.slow
@pytest.mark.parametrize("signal_number", [signal.SIGINT, signal.SIGTERM])
def test_the_process_ends_cleanly_on_a_signal(checkpoints: Path, tmp_path: Path, signal_number: signal.Signals) -> None:
    """The exit code is 0 and the socket file is removed; SIGINT comes while models are loaded."""
    names = tmp_path / "checkpoints"
    names.mkdir()
    spec = replace(TINY, classes=("кошка", *TINY.classes[1:]))
    checkpoint.save(names / "猫.safetensors", lively_network(), spec, {})
    path = tmp_path / "s"
    process = start(
        MIRAGE_CHECKPOINTS=str(names), MIRAGE_HOST=f"unix:{path}", PYTHONIOENCODING="ascii:strict", MIRAGE_DEVICE="cpu",
        MIRAGE_CACHE=str(tmp_path / "cache"),
    )  # fmt: skip
    assert process.stdout is not None and process.stderr is not None
    if signal_number is signal.SIGINT:  # while the models are loaded
        while b"startup complete" not in process.stderr.readline():
            assert process.poll() is None
    else:
        assert b"Mirage serves \\u732b on cpu at unix:" in process.stdout.readline()
    process.send_signal(signal_number)
    _, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors
    assert b"Traceback" not in errors and b"Fatal" not in errors and not path.exists()

"""The command python -m app.keys."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from app.keys.__main__ import main
from app.keys.key_ring import KeyRing
from tests.app.keys.entries import entry

REPOSITORY = Path(__file__).parents[3]


def run(monkeypatch: pytest.MonkeyPatch, *words: str) -> str | int | None:
    """Run the command, and return its exit code, or the message with which it ended."""
    monkeypatch.setattr(sys, "argv", ["app.keys", *words])
    with pytest.raises(SystemExit) as ended:
        main()
    return ended.value.code


def test_a_key_is_added_listed_and_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The key alone is on standard output, once, so that a script can read it, and the service accepts it."""
    file = str(tmp_path / "keys.toml")
    words = ("add", "--file", file, "--name", "page", "--role", "classify", "--per-minute", "60")
    assert run(monkeypatch, *words) == 0
    out, err = capsys.readouterr()
    key = out.removesuffix("\n")
    assert "the key 'page'" in err and key not in err
    found = KeyRing((), Path(file)).find(key.encode())
    assert found is not None and (found.name, found.role) == ("page", "classify")
    assert run(monkeypatch, "add", "--file", file, "--name", "ops") == 0
    capsys.readouterr()
    assert run(monkeypatch, "list", "--file", file) == 0
    rows = [line.split("\t") for line in capsys.readouterr().out.splitlines()]
    assert [row[:3] for row in rows] == [["page", "classify", "60 per minute"], ["ops", "all", "no limit"]]
    assert run(monkeypatch, "remove", "--file", file, "--name", "page") == 0
    assert KeyRing((), Path(file)).find(key.encode()) is None


def test_an_error_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """SystemExit has the message as its code, so Python prints it to stderr and exits with code 1."""
    file = tmp_path / "keys.toml"
    file.write_text(entry("page", "k"))
    message = run(monkeypatch, "add", "--file", str(file), "--name", "page")
    assert isinstance(message, str) and message.startswith(f"mirage: {file} has a key of the name 'page' already")
    assert "\n" not in message


@pytest.mark.parametrize("words", [("--role", "admin"), ("--per-minute", "0"), ("--per-minute", "many")])
def test_a_wrong_option_is_refused_and_no_file_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    """Exit code 2 is that of wrong usage."""
    file = tmp_path / "keys.toml"
    assert run(monkeypatch, "add", "--file", str(file), "--name", "page", *words) == 2
    assert not file.exists()


def test_the_command_does_not_load_pytorch(tmp_path: Path) -> None:
    """It would take seconds. The process runs as an operator runs it, with -m."""
    words = ["-X", "importtime", "-m", "app.keys", "add", "--file", str(tmp_path / "k"), "--name", "a"]
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    done = subprocess.run([sys.executable, *words], cwd=REPOSITORY, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "app.keys.changes" in imported and "torch" not in imported

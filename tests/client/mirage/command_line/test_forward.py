"""mirage serve and mirage train hand over to the service and its training module, where these are installed."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from tests.client.command import mirage

COMMAND = [sys.executable, "-c", "from mirage.command_line.main import main; main()"]


Calls = list[tuple[list[str], dict[str, str]]]


@pytest.fixture
def handed_over(monkeypatch: pytest.MonkeyPatch) -> Calls:
    """The commands that would replace this process, with their environments; the process goes on to its end."""
    calls: Calls = []

    def replace(_: str, command: list[str], environment: dict[str, str]) -> None:
        calls.append((command[1:], environment))
        raise typer.Exit(0)

    monkeypatch.setattr(os, "execve", replace)
    return calls


@pytest.mark.skipif(os.name != "posix", reason="Windows cannot replace a process")
def test_what_is_run_never_comes_from_the_working_directory(handed_over: Calls) -> None:
    """-P leaves the working directory out, in which a user may have a folder `app` of their own."""
    mirage("serve", "--port", 0, "--models", "a,b", "--host", "::1", "--device", "cpu")
    ((command, environment),) = handed_over
    assert command == ["-P", "-m", "app"]
    given = {"MIRAGE_PORT": "0", "MIRAGE_MODELS": "a,b", "MIRAGE_HOST": "::1", "MIRAGE_DEVICE": "cpu"}
    assert given.items() <= environment.items()


@pytest.mark.skipif(os.name != "posix", reason="Windows cannot replace a process")
def test_all_arguments_go_to_the_training_module(handed_over: Calls) -> None:
    for arguments in (["fit", "photos.zip", "--output", "x"], ["--help"], ["fit", "--help"], []):
        mirage("train", *arguments)
        assert handed_over.pop()[0] == ["-P", "-m", "training", *arguments]


def test_without_the_service_the_command_says_where_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mirage.command_line.forward.SERVICE", "no-such-distribution")
    for command in ("serve", "train"):
        done = mirage(command)
        assert done.code == 2 and "make serve" in done.err and "--url" in done.err


@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_the_service_starts_in_a_folder_with_packages_of_the_same_names(checkpoints: Path, tmp_path: Path) -> None:
    for name in ("app", "models"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("raise SystemExit('the wrong package')")
    environment = {**os.environ, "MIRAGE_CHECKPOINTS": str(checkpoints), "MIRAGE_CACHE": str(tmp_path / "cache")}
    with subprocess.Popen(
        [*COMMAND, "serve", "--port", "0"], cwd=tmp_path, env=environment, stdout=subprocess.PIPE
    ) as process:
        try:
            assert process.stdout is not None
            assert b"Mirage serves tiny" in process.stdout.readline()
        finally:
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=60)

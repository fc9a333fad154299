"""The command `mirage`, interrupted by Ctrl-C at any moment: nothing half written, and nothing left on the service."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from models.pictures import encode
from tests.app.live_service import Live, drawn, eventually

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals")
MOMENTS = 6
"""Number of moments at which each command is interrupted."""


def started(live: Live, *arguments: object) -> "subprocess.Popen[bytes]":
    # Processes that a shell starts in the background ignore Ctrl-C, and so do their children, unless they ask for it.
    program = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"
    program += "\nfrom mirage.command_line.main import main\nmain()"
    command = [sys.executable, "-c", program, *map(str, arguments)]
    environment = {**os.environ, "MIRAGE_URL": live.url}
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def test_ctrl_c_twice_is_as_good_as_once(live: Live, picture: bytes, tmp_path: Path) -> None:
    """As where both the terminal and a program around this one send it."""
    photo = tmp_path / "photo.png"
    photo.write_bytes(picture)
    for _ in range(5):
        process = started(
            live, "fool", photo, "--attack", "pgd", "--epsilon", "1/255", "--confidence", 100, "-O", "steps=1000"
        )
        eventually(lambda: live.service.engine.alive == 1)
        process.send_signal(signal.SIGINT)
        errors = interrupted(process, 0)
        assert errors.endswith(b"mirage: interrupted\n") and b"Traceback" not in errors
        assert process.returncode == -signal.SIGINT
        eventually(lambda: live.service.engine.alive == 0)


def interrupted(process: "subprocess.Popen[bytes]", after_s: float) -> bytes:
    """Interrupt the process; what it wrote to standard error. It ends by the signal, as shells expect it."""
    time.sleep(after_s)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode in (-signal.SIGINT, 0), errors
    return errors


def moments() -> list[float]:
    """Seconds from the start of Python to the middle of the work, by a seed."""
    return [random.Random(number).uniform(0.02, 1.5) for number in range(MOMENTS)]


def test_an_attack_ends_on_the_service_and_leaves_no_file(live: Live, picture: bytes, tmp_path: Path) -> None:
    """At the last moment it has begun for certain."""
    photo, out = tmp_path / "photo.png", tmp_path / "out"
    photo.write_bytes(picture)
    out.mkdir()
    slow = ("--attack", "pgd", "--epsilon", "1/255", "--confidence", 100, "-O", "steps=1000")
    for number, moment in enumerate(moments()):
        process = started(live, "fool", photo, "-o", out / "fooled.png", *slow)
        if number == MOMENTS - 1:
            time.sleep(2)  # so long after the start that it is this attack which the service works on
            eventually(lambda: live.service.engine.alive == 1)
            errors = interrupted(process, 0)
            assert process.returncode == -signal.SIGINT
            assert errors.endswith(b"mirage: interrupted\n") and b"Traceback" not in errors
        else:
            interrupted(process, moment)
        eventually(lambda: live.service.engine.alive == 0)
        assert os.listdir(out) in ([], ["fooled.png"]), "no part of a file"


@pytest.mark.parametrize("name", ["results.jsonl", "results.csv"])
def test_many_pictures_are_all_there_after_any_number_of_interruptions(name: str, live: Live, tmp_path: Path) -> None:
    """Each run goes on where the last one was interrupted, and in the end each picture is there once."""
    folder, results = tmp_path / "photos", tmp_path / name
    folder.mkdir()
    for number in range(300):
        (folder / f"{number:03}.png").write_bytes(encode(drawn(40, 48, seed=number)))
    for moment in moments():
        interrupted(started(live, "classify", folder, "-o", results, "--concurrency", 1), moment)
        eventually(lambda: live.service.engine.alive == 0)
        assert not list(tmp_path.glob("**/*.part"))
    last = started(live, "classify", folder, "-o", results)
    last.communicate(timeout=120)
    assert last.returncode == 0
    lines = results.read_text(encoding="utf-8").splitlines()
    paths = (
        [line.partition(",")[0] for line in lines[1:]]
        if name.endswith("csv")
        else [json.loads(line)["path"] for line in lines]
    )
    assert paths == [str(folder / f"{number:03}.png") for number in range(300)]

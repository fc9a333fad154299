"""Where the results of many pictures go: into pipes and devices, and beside a bar on a terminal."""

import csv
import json
import os
import threading
from pathlib import Path

import pytest

from mirage.command_line.records import Csv
from mirage.command_line.results_output import output_for
from models.pictures import encode
from tests.app.live_service import Live, drawn
from tests.client.terminal import on_terminal

pytestmark = pytest.mark.skipif(os.name != "posix", reason="named pipes and pseudo-terminals")
COUNT = 3


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    for number in range(COUNT):
        (folder / f"{number}.png").write_bytes(encode(drawn(40, 48, seed=number)))
    return folder


@pytest.mark.parametrize(("format", "expected"), [("table", b"0.png"), ("jsonl", b'"path"'), ("csv", b"path,model")])
def test_results_reach_a_file_while_the_bar_is_on_the_terminal(
    format: str, expected: bytes, live: Live, folder: Path, tmp_path: Path
) -> None:
    with (tmp_path / "out").open("wb") as file:
        code, shown = on_terminal(live, "classify", folder, "--format", format, out=file.fileno())
    written = (tmp_path / "out").read_bytes()
    assert code == 0 and "classifying" in shown and ".png" not in shown
    assert expected in written and written.count(b".png") == COUNT and b"\x1b" not in written


def test_lines_on_a_terminal_have_no_bar_between_them(live: Live, folder: Path) -> None:
    code, shown = on_terminal(live, "classify", folder, "--format", "jsonl")
    assert code == 0
    assert len([json.loads(line) for line in shown.splitlines()]) == COUNT


def test_a_named_pipe_takes_the_header_and_all_results(live: Live, folder: Path, tmp_path: Path) -> None:
    """They come to one reader, which sees one end."""
    pipe, received = tmp_path / "pipe.csv", []  # type: ignore[var-annotated]
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: received.append(pipe.read_bytes()))
    reader.start()
    with (tmp_path / "out").open("wb") as file:
        code, _ = on_terminal(live, "classify", folder, "-o", pipe, out=file.fileno())
    reader.join(30)
    assert code == 0
    assert [row["path"] for row in csv.DictReader(received[0].decode().splitlines())] == [
        str(folder / f"{number}.png") for number in range(COUNT)
    ]


def test_the_device_of_standard_output_is_standard_output(live: Live, folder: Path, tmp_path: Path) -> None:
    """As a file it would be replaced, and the shell's file would stay empty."""
    with (tmp_path / "out.csv").open("wb") as file:
        on_terminal(live, "classify", folder, "--format", "csv", "-o", "/dev/stdout", out=file.fileno())
    assert len((tmp_path / "out.csv").read_text().splitlines()) == 1 + COUNT


def test_a_file_is_only_read_until_the_results_begin(tmp_path: Path) -> None:
    path = tmp_path / "results.csv"
    path.write_text(Csv(1).header + "a.png,tiny", newline="")
    before = path.read_bytes()
    output = output_for(str(path), None, 1, again=False, files=["a.png"])
    assert output.records == [] and path.read_bytes() == before
    with output.open():
        assert path.read_bytes() == Csv(1).header.encode()

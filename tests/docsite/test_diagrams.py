"""Diagrams of the pages, and the files that were drawn from them."""

import re
import subprocess
from html import unescape
from pathlib import Path
from typing import Any

import pytest

from docsite import diagrams
from docsite.diagrams import draw, file_of, is_current, mark, name_of, sources


def test_there_are_diagrams() -> None:
    assert {name_of(source) for source in sources()} >= {"one request", "one training run"}


@pytest.mark.parametrize("source", sources(), ids=name_of)
def test_every_diagram_is_drawn(source: str) -> None:
    """The words of its labels are in the file, and nothing is loaded by it."""
    assert is_current(source), "run .venv/bin/python -m docsite.diagrams"
    svg = file_of(source).read_text(encoding="utf-8")
    shown = " ".join(re.findall(r">([^<]+)<", unescape(svg)))
    for word in re.findall(r"[\w]+/[\w/]+", source):
        assert word.rpartition("/")[2] in shown, word
    assert not re.search(r"(?:href|src)=\"(?!#)", svg) and "url(http" not in svg and "@import" not in svg


def test_a_diagram_needs_a_name() -> None:
    with pytest.raises(ValueError, match="must be its name"):
        name_of("flowchart TD\n")


def test_a_changed_diagram_is_not_current(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Drawing is stood in for: the program writes a file as Mermaid would."""
    monkeypatch.setattr(diagrams, "FOLDER", tmp_path)

    def write(command: list[str], **_: Any) -> None:
        Path(command[command.index("-o") + 1]).write_text("<svg/>", encoding="utf-8")

    monkeypatch.setattr(subprocess, "run", write)
    source = "%% a small one\nflowchart TD\n"
    assert not is_current(source)
    draw(source)
    assert (tmp_path / "a-small-one.svg").read_text(encoding="utf-8") == f"<svg/>\n{mark(source)}\n"
    assert is_current(source) and not is_current(source + "A --> B\n")

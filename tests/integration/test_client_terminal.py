"""The command `mirage` on a terminal: what people see, which pipes never get."""

import os
import re
from pathlib import Path

import pytest

from tests.app.live_service import Live
from tests.client.terminal import on_terminal

pytestmark = pytest.mark.skipif(os.name != "posix", reason="pseudo-terminals")


@pytest.fixture
def photo(picture: bytes, tmp_path: Path) -> Path:
    path = tmp_path / "photo.png"
    path.write_bytes(picture)
    return path


def test_an_attack_is_shown_while_it_runs_and_then_its_result(live: Live, photo: Path, tmp_path: Path) -> None:
    """Bars, the picture as half blocks in its colours, the change, the steps; at the end a summary."""
    code, shown = on_terminal(live, "fool", photo, "-o", tmp_path / "fooled.png", "--effort", "quick")
    assert code == 0
    assert "\u2580" in shown and "\x1b[38;2;" in shown, "half blocks in true colours"
    assert "\u2588" in shown and re.search(r"step \d+ of at most \d+", shown) and "the change, amplified" in shown
    end = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown).splitlines()
    assert any(re.fullmatch(r".+ [\d.]+ % \u2192 .+ [\d.]+ %\s*", line) for line in end)
    assert any(line.startswith("saved as") for line in end) and '{"' not in shown


@pytest.mark.parametrize("variables", [{"TERM": "dumb"}, {"NO_COLOR": "1"}, {"PYTHONIOENCODING": "ascii"}])
def test_a_terminal_that_cannot_show_pictures_gets_none(variables: dict[str, str], live: Live, photo: Path) -> None:
    code, shown = on_terminal(live, "fool", photo, "--effort", "quick", **variables)
    assert code == 0 and "\u2580" not in shown and "unchanged" in shown and "Traceback" not in shown


def test_pictures_are_listed_as_a_table(live: Live, photo: Path) -> None:
    code, shown = on_terminal(live, "classify", photo, photo)
    assert code == 0 and shown.count("photo.png") == 2 and '{"' not in shown

"""Texts from outside on the terminal, and results as JSON."""

import pytest
from PIL import Image

from mirage.command_line.terminal import figures, printable
from mirage.results.inside import FeatureMap
from mirage.results.shared import Norms


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a b \u732b \u00e9 \U0001f408 [bold]", "a b \u732b \u00e9 \U0001f408 [bold]"),
        ("a\nb\r\t\x07", "a\\nb\\r\\t\\x07"),
        ("\x1b[2J\x9b31m", "\\x1b[2J\\x9b31m"),
        ("\u202egnp.exe", "\\u202egnp.exe"),
        ("\udcff", "\\udcff"),
    ],
)
def test_nothing_controls_the_terminal(text: str, shown: str) -> None:
    """Escape sequences, letters that turn the direction of writing, and bytes that are no Unicode are escaped."""
    assert printable(text).plain == shown and printable(text).spans == []


def test_results_become_json_without_their_pictures() -> None:
    picture = FeatureMap(3, Image.new("L", (2, 2)), files={"image": b"x"})
    assert figures((picture, {"norms": Norms(0.5, 1.0, 2.0, 3)})) == [
        {"channel": 3},
        {"norms": {"linf": 0.5, "l2": 1.0, "l1": 2.0, "l0": 3}},
    ]

"""Figures: how they read, and that what is written can be read again."""

from pathlib import Path

import pytest

from benchmarks.results import Figure, read_figures, write_figures


@pytest.mark.parametrize(
    ("figure", "text"),
    [
        (Figure("ready", "s", [4.25]), "4.25 s"),
        (Figure("attack", "s", [2.5, 3.0, 12.345]), "3 s (2.5 to 12.3)"),
        (Figure("ratio of two", "ratio", [0.04567]), "0.0457"),
        (Figure("memory", "MB", [1234.5, 1000.0]), "1,117 MB (1,000 to 1,234)"),
    ],
)
def test_the_text_of_a_figure_has_three_digits_and_the_spread(figure: Figure, text: str) -> None:
    """Medians by hand: the middle of three, and the mean of the middle two, 1,117.25."""
    assert figure.text == text


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    """Names in any script, and raw values without a loss."""
    figures = [Figure("Größe", "MB", [0.1, 1 / 3]), Figure("passes", "passes", [7])]
    write_figures(tmp_path / "figures.json", figures, "Chromium 150")
    assert read_figures(tmp_path / "figures.json") == (figures, "Chromium 150")

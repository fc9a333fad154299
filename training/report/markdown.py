"""Percentages and tables in Markdown."""

import re
from collections.abc import Iterable

from training.control_characters import IN_A_LINE, IN_TEXT


def figure(fraction: float | None, otherwise: str = "unknown") -> str:
    """A fraction in percent, or `otherwise` where it is not known."""
    return otherwise if fraction is None else percent(fraction)


def percent(fraction: float) -> str:
    """A fraction in percent: `98.70 %`."""
    return f"{100 * fraction:.2f} %"


def code(text: str) -> str:
    """A text of anybody's as code in a line, whatever it contains."""
    line = _in_one_line(text)
    return f"`` {line} ``" if "`" in line else f"`{line}`"


def block(text: str) -> str:
    """A text of anybody's as a block of code."""
    text = IN_TEXT.sub("?", text)
    fence = "`" * max([3, *(len(run) + 1 for run in re.findall("`+", text))])
    return f"{fence}\n{text}\n{fence}"


def plain(text: str) -> str:
    """A text of anybody's in one line, without marks that begin HTML or a link."""
    return re.sub(r"([<\[`\\*_])", r"\\\1", _in_one_line(text))


def _in_one_line(text: str) -> str:
    """The text without line breaks, and without characters that control a terminal or the direction of the text."""
    return " ".join(IN_A_LINE.sub(" ", text).split())


def table(titles: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A table. Vertical bars and line breaks in cells are replaced so that they do not end the cell."""
    titles = tuple(titles)
    lines = [titles, ("---",) * len(titles), *(tuple(row) for row in rows)]
    return "\n".join("| " + " | ".join(_escape(cell) for cell in line) + " |" for line in lines)


def _escape(cell: str) -> str:
    return " ".join(cell.splitlines()).replace("|", "\\|")

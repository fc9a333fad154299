"""Parts of a page in Markdown: figures and tables."""

from collections.abc import Iterable


def figure(fraction: float | None, otherwise: str = "unknown") -> str:
    """A fraction in percent, where it is known."""
    return otherwise if fraction is None else percent(fraction)


def percent(fraction: float) -> str:
    """`98.70 %`."""
    return f"{100 * fraction:.2f} %"


def table(titles: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A table; a bar or a line break in a cell stays within it."""
    titles = tuple(titles)
    lines = [titles, ("---",) * len(titles), *(tuple(row) for row in rows)]
    return "\n".join("| " + " | ".join(_within(cell) for cell in line) + " |" for line in lines)


def _within(cell: str) -> str:
    return " ".join(cell.splitlines()).replace("|", "\\|")

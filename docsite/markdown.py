"""Texts of the code as Markdown: everything in them is shown as it is, except code in backticks."""

import re

SPECIAL = re.compile(r"([\\*_<>\[\]|~#{}$])")
"""Characters that Markdown might read as marks."""


def escape(text: str) -> str:
    """A text of one line, in which only `code` in backticks is a mark; it may stand in a table."""
    parts = re.split(r"(`[^`]+`)", re.sub(r"\s+", " ", text).strip())
    return "".join(part.replace("|", r"\|") if part.startswith("`") else SPECIAL.sub(r"\\\1", part) for part in parts)


def code(text: str) -> str:
    """A word in the type of code."""
    return f"`{text}`"


def table(heads: tuple[str, ...], rows: list[tuple[str, ...]]) -> list[str]:
    """The lines of a table; the cells are Markdown already."""
    lines = [f"| {' | '.join(heads)} |", f"|{'---|' * len(heads)}"]
    return [*lines, *(f"| {' | '.join(row)} |" for row in rows), ""]


def definition(term: str, facts: list[str], text: str) -> list[str]:
    """An entry of a definition list: the term, short facts about it in one line, and what it means."""
    first = f"{term} — {', '.join(facts)}" if facts else term
    return [first, f": {text}", ""]

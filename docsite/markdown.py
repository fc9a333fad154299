"""Texts of the code as Markdown: everything in them is shown as it is, except code in backticks."""

import re
from collections.abc import Iterable

SPECIAL = re.compile(r"([\\*<>\[\]|~#{}$]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9]))")
"""Characters that Markdown might read as marks."""


def escape(text: str) -> str:
    """A text of one line, in which only `code` in backticks is a mark; it may stand in a table."""
    parts = re.split(r"(`[^`]+`)", re.sub(r"\s+", " ", text).strip())
    return "".join(part.replace("|", r"\|") if part.startswith("`") else SPECIAL.sub(r"\\\1", part) for part in parts)


def code(text: str) -> str:
    """A word in the type of code."""
    return f"`{text}`"


def table(heads: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> list[str]:
    """The lines of a table; the cells are Markdown already."""
    lines = [f"| {' | '.join(heads)} |", f"|{'---|' * len(heads)}"]
    return [*lines, *(f"| {' | '.join(row)} |" for row in rows), ""]


def definition(term: str, facts: list[str], paragraphs: list[str]) -> list[str]:
    """An entry of a definition list: the term, short facts about it in one line, and paragraphs about its meaning.

    Paragraphs that begin with a hyphen are the items of a list.
    """
    lines = [f"{term} — {', '.join(facts)}" if facts else term]
    for number, paragraph in enumerate(paragraphs):
        lines += [f"{'  ' if number else ': '}{paragraph}", ""]
    return lines


def paragraphs(text: str) -> list[str]:
    """The description of an option; what it means for each attack or method is an item of a list.

    Such a text is "For ddn: ... For pgd and apgd: ... A number from 0 to 1. Default: ddn 1, pgd 2."
    """
    start = r"(?:^|(?<=\. ))(?=For [a-z0-9_]+(?:, [a-z0-9_]+)*(?: and [a-z0-9_]+)?: )"
    first, *items = re.split(start, text)
    if not items:
        return [escape(text)]
    last, *end = re.split(r"(?<=\. )(?=A whole number|A number|One of|Default:)", items.pop(), maxsplit=1)
    parts = [item.removeprefix("For ").partition(": ") for item in [*items, last]]
    listed = [
        f"- {', '.join(map(code, re.split(', | and ', names)))}: {escape(meaning)}" for names, _, meaning in parts
    ]
    return [*([escape(first)] if first else []), *listed, *map(escape, end)]

"""Text that a plot can show."""

from functools import cache

from matplotlib.font_manager import findfont, get_font

MISSING = "\N{REPLACEMENT CHARACTER}"


def printable(text: str) -> str:
    """The text with a sign for each character that matplotlib's own font lacks: Chinese, Japanese, emoji, line breaks.

    Matplotlib itself would draw an empty box and warn.
    """
    return "".join(each if ord(each) in _known() else MISSING for each in text)


@cache
def _known() -> frozenset[int]:
    return frozenset(get_font(findfont("DejaVu Sans")).get_charmap())

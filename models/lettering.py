"""Text in a plot: in letters that the fonts of this system have, and a number in its place where they have none."""

import logging
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import matplotlib.ft2font
from matplotlib.font_manager import FontEntry, findfont, fontManager, get_font

LONGEST = 40
"""Characters of a name that a plot has room for."""
USUAL = "DejaVu Sans"
"""Comes with matplotlib, so it is always there: Latin, Greek, Cyrillic, Arabic and Hebrew letters, among others."""
PREFERRED = ("Noto Sans", "Source Han Sans", "WenQuanYi", "PingFang", "Hiragino", "Microsoft", "Yu Gothic", "Meiryo")
"""How the names of fonts begin that are looked at before all others: made for text, and with many letters."""
REGULAR = (400, "normal", "regular")
"""What matplotlib calls the weight of a font that is neither bold nor thin."""
NOT_LETTERS = re.compile(r"last ?resort|blank|tofu|notdef", re.IGNORECASE)
"""Fonts that draw a box for each character there is."""
JOINED = re.compile("[\u0590-\u08ff\u0900-\u109f\u1780-\u17ff\ufb1d-\ufdff\ufe70-\ufeff]")
"""Scripts that run from right to left or join their letters: Hebrew, Arabic, those of India, Thai, Tibetan, Khmer."""
MEANINGLESS = ("Co", "Cn", "Cs")
"""Categories without a shape of their own: private use (fonts have anything there), unassigned, half a character."""
BLANK_LETTERS = "\u115f\u1160\u2800\u3164\uffa0"
"""Letters and signs by their category that show nothing."""
SHAPES = hasattr(matplotlib.ft2font, "__libraqm_version__")
"""Whether this matplotlib orders and joins such letters, as 3.11 and later do; before it drew them apart, in a row."""
FROM_LEFT = "\u200e"
"""Before a text that may begin with a name: the words around an Arabic or Hebrew name keep their order."""


@dataclass(frozen=True)
class Lettering:
    """Texts ready to be drawn in these font families; `replaced` has the places of those that no font could draw.

    A text drawn with it needs `fontfamily=list(families)` and `parse_math=False`: a `$` in a name begins no formula.
    """

    texts: tuple[str, ...]
    families: tuple[str, ...]
    replaced: tuple[int, ...]


def lettered(names: Sequence[str], numbers: Sequence[int] | None = None, *, longest: int = LONGEST) -> Lettering:
    """Each name on one line and of bounded length, or `class N` where no font here has all of its characters.

    `numbers` are those N, by default the names' places. Names that would look the same get their number too.
    """
    numbers = numbers if numbers is not None else range(len(names))
    lines = [one_line(name, longest) for name in names]
    families = {USUAL: None}
    texts, replaced = [], []
    for place, (line, number) in enumerate(zip(lines, numbers, strict=True)):
        found = _families(line)
        if found is not None and _shows(line):
            families |= dict.fromkeys(found)
            same = lines.count(line) > 1 and names.count(names[place]) == 1
            texts.append(f"{line} ({number})" if same else line)
        else:
            texts.append(f"class {number}")
            replaced.append(place)
    return Lettering(tuple(texts), tuple(families), tuple(replaced))


def one_line(text: str, longest: int = LONGEST) -> str:
    """The text composed (NFC), without line breaks and characters that show nothing, cut to `longest` characters."""
    words = " ".join(unicodedata.normalize("NFC", text).split())
    seen = "".join(each for each in words if unicodedata.category(each) not in ("Cc", "Cf") or _joins(each, words))
    return seen if len(seen) <= longest else seen[: longest - 1] + "…"


def _shows(line: str) -> bool:
    """Whether there is a letter, digit or sign to see: not blanks and accents alone."""
    return any(unicodedata.category(each)[0] in "LNPS" and each not in BLANK_LETTERS for each in line)


def escaped(text: str) -> str:
    """The text on one line, with `\\u732b` for a character that the usual font lacks: for a name that has no number."""
    return "".join(each if ord(each) in _charmap(_usual_file()) else ascii(each)[1:-1] for each in one_line(text))


def _joins(character: str, text: str) -> bool:
    """A zero-width joiner or non-joiner between letters that it joins or keeps apart."""
    return character in "\u200c\u200d" and SHAPES and JOINED.search(text) is not None


@cache
def _families(text: str) -> tuple[str, ...] | None:
    """Families that have all characters of a text between them, or None."""
    if JOINED.search(text) and not SHAPES:
        return None
    return _covering(frozenset(map(ord, text)))


def _covering(wanted: frozenset[int]) -> tuple[str, ...] | None:
    missing = {code for code in wanted if code not in _charmap(_usual_file())}
    chosen = [USUAL]
    if any(unicodedata.category(chr(code)) in MEANINGLESS for code in wanted):
        return None
    for font in _others() if missing else ():
        drawn = {code for code in missing if code in _charmap(font.fname) and _draws(font.fname, code)}
        if drawn:
            chosen.append(font.name)
            missing -= drawn
            if font.weight not in REGULAR:
                logging.getLogger("matplotlib.font_manager").addFilter(_is_not_of_weight)
        if not missing:
            return tuple(chosen)
    return None if missing else tuple(chosen)


def _is_not_of_weight(record: logging.LogRecord) -> bool:
    """Not matplotlib's remark that a family has no regular weight: its letters are what is wanted."""
    return "Failed to find font weight" not in str(record.msg)


def _others() -> list[FontEntry]:
    """A font of each other family of this system: regular ones first, and among these the preferred ones."""
    fonts = [each for each in fontManager.ttflist if each.style == "normal" and not NOT_LETTERS.search(each.name)]
    fonts = [each for each in fonts if each.name != USUAL]
    fonts.sort(key=lambda font: (font.weight not in REGULAR, not font.name.startswith(PREFERRED), font.name))
    found: dict[str, FontEntry] = {}
    for font in fonts:
        found.setdefault(font.name, font)
    return list(found.values())


def _usual_file() -> str:
    return str(findfont(USUAL))


@cache
def _charmap(file: str) -> frozenset[int]:
    try:
        return frozenset(get_font(file).get_charmap())
    except (OSError, RuntimeError, ValueError):  # a font that was removed, is damaged, or is of pictures alone
        return frozenset()


def _draws(file: str, code: int) -> bool:
    """Whether the font has an outline for the character: fonts of coloured pictures have none that can be drawn."""
    try:
        font = get_font(file)
        font.set_size(12, 72)
        return font.load_char(code).width > 0 or chr(code).isspace()
    except (OSError, RuntimeError, ValueError):
        return False

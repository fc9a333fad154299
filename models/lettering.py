"""Texts for plots, in fonts of this system that have their characters, or a number where no font has them."""

import logging
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import matplotlib.ft2font
from matplotlib.font_manager import FontEntry, findfont, fontManager, get_font

LONGEST = 40
"""Largest number of characters of a name in a plot."""
USUAL = "DejaVu Sans"
"""The default font, which comes with matplotlib; it has Latin, Greek, Cyrillic, Arabic, Hebrew and other letters."""
PREFERRED = ("Noto Sans", "Source Han Sans", "WenQuanYi", "PingFang", "Hiragino", "Microsoft", "Yu Gothic", "Meiryo")
"""Beginnings of the names of fonts that are tried first: made for text, and with many letters."""
REGULAR = (400, "normal", "regular")
"""Weights of fonts that are neither bold nor thin, as matplotlib names them."""
NOT_LETTERS = re.compile(r"last ?resort|blank|tofu|notdef", re.IGNORECASE)
"""Names of fonts that draw a box for every character."""
JOINED = re.compile("[\u0590-\u08ff\u0900-\u109f\u1780-\u17ff\ufb1d-\ufdff\ufe70-\ufeff]")
"""Characters of scripts that run from right to left or join letters: Hebrew, Arabic, Indic, Thai, Tibetan, Khmer."""
MEANINGLESS = ("Co", "Cn", "Cs")
"""Unicode categories without a shape: private use (fonts have anything there), unassigned, surrogates."""
BLANK_LETTERS = "\u115f\u1160\u2800\u3164\uffa0"
"""Characters that show nothing, although their Unicode category is that of letters or signs."""
SHAPES = hasattr(matplotlib.ft2font, "__libraqm_version__")
"""Whether this matplotlib orders and joins the letters of JOINED scripts; versions before 3.11 do not."""
FROM_LEFT = "\u200e"
"""Left-to-right mark; before a text that may begin with an Arabic or Hebrew name it keeps the order of the words."""


@dataclass(frozen=True)
class Lettering:
    """Texts to draw and the font families for them; `replaced` are the positions of those that no font can draw.

    Draw them with `fontfamily=list(families)` and with `parse_math=False`, so that a `$` in a name begins no formula.
    """

    texts: tuple[str, ...]
    families: tuple[str, ...]
    replaced: tuple[int, ...]


def lettered(names: Sequence[str], numbers: Sequence[int] | None = None, *, longest: int = LONGEST) -> Lettering:
    """Each name on one line of at most `longest` characters, or `class N` if no font has all its characters.

    `numbers` are these N, by default the positions of the names. Names that would look the same get their number too.
    """
    numbers = numbers if numbers is not None else range(len(names))
    lines = [one_line(name, longest) for name in names]
    families = {USUAL: None}
    texts, replaced = [], []
    for place, (line, number) in enumerate(zip(lines, numbers, strict=True)):
        line_families = _families(line)
        if line_families is not None and _is_visible(line):
            families |= dict.fromkeys(line_families)
            same = lines.count(line) > 1 and names.count(names[place]) == 1
            texts.append(f"{line} ({number})" if same else line)
        else:
            texts.append(f"class {number}")
            replaced.append(place)
    return Lettering(tuple(texts), tuple(families), tuple(replaced))


def one_line(text: str, longest: int = LONGEST) -> str:
    """The text composed (NFC), without line breaks and characters that show nothing, cut to `longest` characters."""
    words = " ".join(unicodedata.normalize("NFC", text).split())
    visible = "".join(
        character
        for character in words
        if unicodedata.category(character) not in ("Cc", "Cf") or _joins(character, words)
    )
    return visible if len(visible) <= longest else visible[: longest - 1] + "…"


def _is_visible(line: str) -> bool:
    """Whether there is a letter, digit or sign, not only blanks and accents."""
    return any(unicodedata.category(character)[0] in "LNPS" and character not in BLANK_LETTERS for character in line)


def escaped(text: str) -> str:
    """The text on one line, with an escape such as `\\u732b` for each character that the default font lacks."""
    known = _charmap(_usual_file())
    return "".join(letter if ord(letter) in known else ascii(letter)[1:-1] for letter in one_line(text))


def _joins(character: str, text: str) -> bool:
    """Whether the character is a zero-width joiner or non-joiner in a text of a script that uses them."""
    return character in "\u200c\u200d" and SHAPES and JOINED.search(text) is not None


@cache
def _families(text: str) -> tuple[str, ...] | None:
    """Font families that together have all characters of the text, or None."""
    if JOINED.search(text) and not SHAPES:
        return None
    return _covering(frozenset(map(ord, text)))


def _covering(codes: frozenset[int]) -> tuple[str, ...] | None:
    missing = {code for code in codes if code not in _charmap(_usual_file())}
    chosen = [USUAL]
    if any(unicodedata.category(chr(code)) in MEANINGLESS for code in codes):
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
    """A filter for matplotlib's log: drops the warning that a family has no regular weight."""
    return "Failed to find font weight" not in str(record.msg)


def _others() -> list[FontEntry]:
    """One font of each other family of this system: regular ones first, and among these the preferred ones."""
    fonts = [font for font in fontManager.ttflist if font.style == "normal" and not NOT_LETTERS.search(font.name)]
    fonts = [font for font in fonts if font.name != USUAL]
    fonts.sort(key=lambda font: (font.weight not in REGULAR, not font.name.startswith(PREFERRED), font.name))
    by_family: dict[str, FontEntry] = {}
    for font in fonts:
        by_family.setdefault(font.name, font)
    return list(by_family.values())


def _usual_file() -> str:
    return str(findfont(USUAL))


@cache
def _charmap(file: str) -> frozenset[int]:
    try:
        return frozenset(get_font(file).get_charmap())
    except (OSError, RuntimeError, ValueError):  # the font was removed, is damaged, or has only pictures
        return frozenset()


def _draws(file: str, code: int) -> bool:
    """Whether the font has an outline of the character; fonts of coloured pictures have none."""
    try:
        font = get_font(file)
        font.set_size(12, 72)
        return font.load_char(code).width > 0 or chr(code).isspace()
    except (OSError, RuntimeError, ValueError):
        return False

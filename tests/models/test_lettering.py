"""Which characters a plot can show, and what stands there where it cannot."""

import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import fontManager

from models import lettering
from models.lettering import Lettering, escaped, lettered, one_line

HAN = "Han of the tests"


def forget() -> None:
    """The fonts of this system have changed."""
    lettering._families.cache_clear()
    lettering._charmap.cache_clear()


@pytest.fixture
def without_other_fonts(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A system that has matplotlib's own fonts alone, the one that draws boxes among them."""
    own = [each for each in fontManager.ttflist if "mpl-data" in each.fname]
    assert any(each.name.startswith("Last Resort") for each in own)
    monkeypatch.setattr(fontManager, "ttflist", own)
    forget()
    yield
    forget()


@pytest.fixture
def with_han(tmp_path: Path, without_other_fonts: None) -> str:
    """And one font more, that has squares as its glyphs for the characters of cat and dog."""
    pen = TTGlyphPen(None)
    for place, move in enumerate(((100, 0), (900, 0), (900, 800), (100, 800))):
        (pen.lineTo if place else pen.moveTo)(move)
    pen.closePath()
    square = pen.glyph()
    builder = FontBuilder(1000)
    builder.setupGlyphOrder([".notdef", "cat", "dog"])
    builder.setupCharacterMap({ord("猫"): "cat", ord("狗"): "dog"})
    builder.setupGlyf({".notdef": TTGlyphPen(None).glyph(), "cat": square, "dog": square})
    builder.setupHorizontalMetrics(dict.fromkeys((".notdef", "cat", "dog"), (1000, 0)))
    builder.setupHorizontalHeader(ascent=800, descent=-200)
    builder.setupNameTable({"familyName": HAN, "styleName": "Regular"})
    builder.setupOS2(usWeightClass=400)
    builder.setupPost()
    builder.save(tmp_path / "han.ttf")
    fontManager.addfont(tmp_path / "han.ttf")
    forget()
    return HAN


def drawn(text: str, families: tuple[str, ...]) -> int:
    """Dark pixels of the text; a warning of a missing glyph is an error."""
    figure = Figure(figsize=(4, 1), dpi=100)
    figure.text(0.1, 0.4, text, fontfamily=list(families), parse_math=False, fontsize=20)
    canvas = FigureCanvasAgg(figure)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        canvas.draw()
    return int((np.asarray(canvas.buffer_rgba())[..., 0] < 128).sum())


@pytest.mark.parametrize("name", ["Siamese_cat $1$", "Кошка", "Žluťoučký", "γάτα", "قطة", "חתול", "😀", "a\\b", "$"])
def test_what_the_usual_font_has_stays(without_other_fonts: None, name: str) -> None:
    assert lettered([name]) == Lettering((name,), ("DejaVu Sans",), ())
    assert drawn(name, ("DejaVu Sans",)) > 20


@pytest.mark.parametrize("name", ["猫", "犬 (dog)", "แมว", "बिल्ली", "🐕", "Bl\udcfcish", "", " \n", "\u200b"])
def test_a_number_stands_for_what_no_font_has(without_other_fonts: None, name: str) -> None:
    """Chinese, Thai, Hindi, an emoji, half of a character, and names that show nothing at all."""
    found = lettered(["cat", name])
    assert found == Lettering(("cat", "class 1"), ("DejaVu Sans",), (1,))
    assert drawn(found.texts[1], found.families) > 20


def test_a_font_of_this_system_that_has_them_draws_them(with_han: str) -> None:
    """The two that it has, and not a third; beside them letters of the usual font."""
    found = lettered(["猫", "狗 (dog)", "虎"])
    assert found == Lettering(("猫", "狗 (dog)", "class 2"), ("DejaVu Sans", HAN), (2,))
    # A glyph is a full square of 800 units: of 20 points at 100 dpi 22 pixels each way.
    assert 400 < drawn("猫", found.families) < 600
    assert drawn("狗 (dog)", found.families) > drawn("狗", found.families) > 400


@pytest.mark.parametrize("name", ["\ue000", "cat \uf8ff", "\u0300", "\u2800\u2800", "\u3164", "\u0378"])
def test_what_means_or_shows_nothing_is_a_number(name: str) -> None:
    """Private use, where each font has pictures of its own; an accent on nothing; blank letters; unassigned ones."""
    assert lettered(["cat", name]).texts == ("cat", "class 1")


def test_numbers_may_be_the_callers(without_other_fonts: None) -> None:
    assert lettered(["猫", "cat"], [281, 7]).texts == ("class 281", "cat")


def test_names_are_one_bounded_line() -> None:
    """Composed, without line breaks, zero-width and direction marks."""
    assert one_line("a\n b\t\u202ec\u200b") == "a b c"
    assert one_line("e\u0301") == "é"
    assert one_line("x" * 41) == "x" * 39 + "…" and one_line("x" * 40) == "x" * 40


def test_long_names_that_differ_at_the_end_stay_apart(without_other_fonts: None) -> None:
    found = lettered(["x" * 50 + "1", "x" * 50 + "2", "y"])
    assert found.texts == ("x" * 39 + "… (0)", "x" * 39 + "… (1)", "y")


def test_joined_scripts_need_a_library_that_joins_them(
    without_other_fonts: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An older matplotlib would draw Arabic letters apart and from left to right: rather a number."""
    monkeypatch.setattr(lettering, "SHAPES", False)
    forget()
    assert lettered(["قطة", "חתול", "Кошка"]).texts == ("class 0", "class 1", "Кошка")


def test_a_name_without_a_number_is_escaped() -> None:
    assert escaped("猫-v2\n") == "\\u732b-v2"
    assert escaped("Кошка") == "Кошка"

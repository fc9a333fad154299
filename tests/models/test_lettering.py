"""Tests which class names a plot can show, and what replaces the names that it cannot."""

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


def clear_font_caches() -> None:
    """Clear the caches, since the test has changed the fonts of the system."""
    lettering._families.cache_clear()
    lettering._charmap.cache_clear()


@pytest.fixture
def without_other_fonts(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Leave only the fonts of matplotlib, one of which (Last Resort) draws a box for every character."""
    own = [font for font in fontManager.ttflist if "mpl-data" in font.fname]
    assert any(font.name.startswith("Last Resort") for font in own)
    monkeypatch.setattr(fontManager, "ttflist", own)
    clear_font_caches()
    yield
    clear_font_caches()


@pytest.fixture
def with_han(tmp_path: Path, without_other_fonts: None) -> str:
    """Add one font whose glyphs for the Chinese characters of cat and dog are squares; return its name."""
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
    clear_font_caches()
    return HAN


def count_dark_pixels(text: str, families: tuple[str, ...]) -> int:
    """Return the number of dark pixels of the drawn text; a warning about a missing glyph is an error."""
    figure = Figure(figsize=(4, 1), dpi=100)
    figure.text(0.1, 0.4, text, fontfamily=list(families), parse_math=False, fontsize=20)
    canvas = FigureCanvasAgg(figure)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        canvas.draw()
    return int((np.asarray(canvas.buffer_rgba())[..., 0] < 128).sum())


@pytest.mark.parametrize("name", ["Siamese_cat $1$", "Кошка", "Žluťoučký", "γάτα", "قطة", "חתול", "😀", "a\\b", "$"])
def test_a_name_that_the_default_font_has_is_unchanged(without_other_fonts: None, name: str) -> None:
    assert lettered([name]) == Lettering((name,), ("DejaVu Sans",), ())
    assert count_dark_pixels(name, ("DejaVu Sans",)) > 20


@pytest.mark.parametrize("name", ["猫", "犬 (dog)", "แมว", "बिल्ली", "🐕", "Bl\udcfcish", "", " \n", "\u200b"])
def test_a_name_that_no_font_has_is_replaced_by_its_number(without_other_fonts: None, name: str) -> None:
    """Chinese, Thai, Hindi, an emoji, half a surrogate pair, and names without any visible character."""
    lettering_result = lettered(["cat", name])
    assert lettering_result == Lettering(("cat", "class 1"), ("DejaVu Sans",), (1,))
    assert count_dark_pixels(lettering_result.texts[1], lettering_result.families) > 20


def test_a_font_of_the_system_draws_the_characters_that_it_has(with_han: str) -> None:
    """The font has two of the three characters; Latin letters beside them come from the default font."""
    lettering_result = lettered(["猫", "狗 (dog)", "虎"])
    assert lettering_result == Lettering(("猫", "狗 (dog)", "class 2"), ("DejaVu Sans", HAN), (2,))
    # The glyph is a full square of 800 of 1000 units: at 20 points and 100 dpi, 22 pixels on each side.
    assert 400 < count_dark_pixels("猫", lettering_result.families) < 600
    assert (
        count_dark_pixels("狗 (dog)", lettering_result.families)
        > count_dark_pixels("狗", lettering_result.families)
        > 400
    )


@pytest.mark.parametrize("name", ["\ue000", "cat \uf8ff", "\u0300", "\u2800\u2800", "\u3164", "\u0378"])
def test_a_name_without_defined_or_visible_characters_is_replaced_by_its_number(name: str) -> None:
    """Private-use, lone combining, blank and unassigned characters."""
    assert lettered(["cat", name]).texts == ("cat", "class 1")


def test_the_caller_may_give_the_class_numbers(without_other_fonts: None) -> None:
    assert lettered(["猫", "cat"], [281, 7]).texts == ("class 281", "cat")


def test_names_become_one_line_of_at_most_40_characters() -> None:
    """Line breaks, zero-width and direction marks are removed, and combining characters are composed."""
    assert one_line("a\n b\t\u202ec\u200b") == "a b c"
    assert one_line("e\u0301") == "é"
    assert one_line("x" * 41) == "x" * 39 + "…" and one_line("x" * 40) == "x" * 40


def test_long_names_that_differ_only_at_the_end_get_their_numbers(without_other_fonts: None) -> None:
    lettering_result = lettered(["x" * 50 + "1", "x" * 50 + "2", "y"])
    assert lettering_result.texts == ("x" * 39 + "… (0)", "x" * 39 + "… (1)", "y")


def test_arabic_and_hebrew_are_replaced_where_matplotlib_cannot_shape_text(
    without_other_fonts: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An older matplotlib would draw unjoined Arabic letters from left to right, so the number is shown instead."""
    monkeypatch.setattr(lettering, "SHAPES", False)
    clear_font_caches()
    assert lettered(["قطة", "חתול", "Кошка"]).texts == ("class 0", "class 1", "Кошка")


def test_a_name_without_a_number_is_escaped() -> None:
    assert escaped("猫-v2\n") == "\\u732b-v2"
    assert escaped("Кошка") == "Кошка"

"""Pictures in the terminal as half blocks."""

from io import StringIO

import pytest
from PIL import Image
from rich.console import Console

from mirage.command_line.pictures import BACKGROUND, HalfBlocks, can_show, shown


def console(**options: object) -> Console:
    return Console(file=StringIO(), width=80, color_system="truecolor", **options)  # type: ignore[arg-type]


def colours(blocks: HalfBlocks) -> list[list[tuple[tuple[int, ...], tuple[int, ...]]]]:
    """For each line and letter the colour of the letter and of its background."""
    lines = console(force_terminal=True).render_lines(blocks, pad=False)
    return [
        [
            (tuple(part.style.color.triplet), tuple(part.style.bgcolor.triplet))  # type: ignore[union-attr, arg-type]
            for part in line
            for _ in part.text
        ]
        for line in lines
    ]


def test_a_letter_is_two_pixels() -> None:
    """Two columns and four rows of pixels are two letters in each of two lines."""
    picture = Image.new("RGB", (2, 4))
    for row in range(4):
        for column in range(2):
            picture.putpixel((column, row), (10 * row, column, 0))
    assert colours(HalfBlocks(picture, 2, 2)) == [
        [((0, 0, 0), (10, 0, 0)), ((0, 1, 0), (10, 1, 0))],
        [((20, 0, 0), (30, 0, 0)), ((20, 1, 0), (30, 1, 0))],
    ]


@pytest.mark.parametrize(("size", "shown"), [((400, 100), (40, 5)), ((100, 400), (10, 20)), ((3000, 1), (40, 1))])
def test_the_shape_is_kept(size: tuple[int, int], shown: tuple[int, int]) -> None:
    """In at most 40 letters and 20 lines; a letter is twice as high as wide."""
    lines = colours(HalfBlocks(Image.new("RGB", size), 40, 20))
    assert (len(lines[0]), len(lines)) == shown


def test_what_is_transparent_shows_the_background() -> None:
    assert colours(HalfBlocks(Image.new("RGBA", (1, 2), (255, 0, 0, 0)), 1, 1)) == [[(BACKGROUND, BACKGROUND)]]


def test_a_faint_change_is_amplified_to_the_full_range() -> None:
    """The largest difference from mid-grey, 2 levels, becomes 127; half of it becomes half."""
    change = Image.new("RGB", (1, 2), (128, 128, 130))
    change.putpixel((0, 1), (127, 128, 128))
    assert colours(HalfBlocks(change, 1, 1).amplified()) == [[((128, 128, 255), (64, 128, 128))]]
    grey = Image.new("RGB", (1, 2), (128, 128, 128))
    assert colours(HalfBlocks(grey, 1, 1).amplified()) == [[((128, 128, 128), (128, 128, 128))]]


def test_only_terminals_with_colours_show_pictures() -> None:
    assert can_show(console(force_terminal=True, no_color=False))
    assert not can_show(console(force_terminal=False))
    assert not can_show(Console(file=StringIO(), force_terminal=True, color_system=None))
    assert not can_show(console(force_terminal=True, no_color=True))


def printed(monkeypatch: pytest.MonkeyPatch) -> str:
    """What is written to standard output, a terminal, for a red picture."""
    output = StringIO()
    monkeypatch.setattr("sys.stdout", output)
    terminal = Console(file=output, width=80, color_system="truecolor", force_terminal=True)
    terminal.print(shown(Image.new("RGB", (40, 30), (255, 0, 0)), terminal))
    return output.getvalue()


def test_a_terminal_that_knows_sixel_gets_the_picture_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    """The library finds out what the terminal can; a picture in sixel begins with DCS and ends with ST (VT330)."""
    renderable = pytest.importorskip("textual_image.renderable")
    monkeypatch.setattr(renderable, "Image", renderable.SixelImage)
    text = printed(monkeypatch)
    assert "\x1bP" in text and "\x1b\\" in text and "\u2580" not in text


def test_a_library_that_fails_is_replaced_by_half_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """As it does in a terminal without a size: the result of a long attack must not be lost for that."""
    renderable = pytest.importorskip("textual_image.renderable")

    def fail(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(renderable, "Image", fail)
    assert "\u2580" in printed(monkeypatch)

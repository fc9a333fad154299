"""Pictures in the terminal: as pictures where it can show them, or else as half blocks, two pixels a letter."""

import logging
import sys
from collections.abc import Iterator

from PIL import Image
from rich.color import Color
from rich.console import Console, ConsoleOptions, RenderableType
from rich.measure import Measurement
from rich.segment import Segment
from rich.style import Style

from mirage.command_line.terminal import shows_letters

UPPER_HALF = "\u2580"
BACKGROUND = (128, 128, 128)
"""Shown behind transparent pixels."""


class HalfBlocks:
    """A picture as upper half blocks: the colour of the letter is the upper pixel, its background the lower one."""

    def __init__(self, picture: Image.Image, columns: int, rows: int) -> None:
        """`columns` and `rows` are the most letters and lines that the picture may take; its shape is kept."""
        scale = min(columns / picture.width, 2 * rows / picture.height)
        size = max(1, round(scale * picture.width)), max(2, 2 * round(scale * picture.height / 2))
        self.pixels: Image.Image = _opaque(picture).resize(
            size, Image.Resampling.LANCZOS if scale < 1 else Image.Resampling.NEAREST
        )

    def amplified(self) -> "HalfBlocks":
        """The same for a picture of a change around mid-grey, which becomes faint when it is made so small."""
        largest = max(abs(level - 128) for level in self.pixels.tobytes())
        if largest > 0:
            self.pixels = self.pixels.point([round(128 + (level - 128) * 127 / largest) for level in range(256)] * 3)
        return self

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Segment]:
        pixels = self.pixels.load()
        assert pixels is not None
        for row in range(0, self.pixels.height, 2):
            for column in range(self.pixels.width):
                upper, lower = pixels[column, row], pixels[column, row + 1]
                assert isinstance(upper, tuple) and isinstance(lower, tuple)
                yield Segment(UPPER_HALF, Style(color=Color.from_rgb(*upper[:3]), bgcolor=Color.from_rgb(*lower[:3])))
            yield Segment.line()

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        return Measurement(self.pixels.width, self.pixels.width)


def can_show(console: Console) -> bool:
    """Whether the console is a terminal with colours and half blocks."""
    has_colours = console.color_system is not None and not console.no_color
    return console.is_terminal and has_colours and shows_letters(console, UPPER_HALF)


def shown(picture: Image.Image, console: Console) -> RenderableType:
    """The picture for a console that `can_show` it, in the best way that its terminal offers."""
    columns, rows = max(1, min(console.width, 72)), max(8, console.height - 8)
    blocks = HalfBlocks(picture, columns, rows)
    return _InTheBestWay(picture, blocks) if console.file is sys.stdout else blocks


class _InTheBestWay:
    """A picture by the library for terminals that can show pictures (sixel, kitty), or else as half blocks."""

    def __init__(self, picture: Image.Image, blocks: HalfBlocks) -> None:
        self._picture, self._blocks = picture, blocks

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Segment]:
        try:
            # It asks the terminal on import what it can do, and fails in different ways where that has no size.
            logging.getLogger("textual_image").setLevel(logging.ERROR)
            from textual_image.renderable import Image as TerminalImage

            image = TerminalImage(_opaque(self._picture), width=self._blocks.pixels.width, height="auto")
            segments = list(console.render(image, options))
        except Exception:  # the extra `terminal` is not installed, or the library cannot do it
            segments = list(self._blocks.__rich_console__(console, options))
        yield from segments


def _opaque(picture: Image.Image) -> Image.Image:
    if picture.mode in ("RGBA", "LA", "PA") or "transparency" in picture.info:
        layer = picture.convert("RGBA")
        below = Image.new("RGBA", layer.size, (*BACKGROUND, 255))
        return Image.alpha_composite(below, layer).convert("RGB")
    return picture.convert("RGB")

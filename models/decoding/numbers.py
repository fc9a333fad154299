"""Numbers that are no 8-bit levels yet: which of them is white, and the levels that follow.

The rule and its reasons: docs/decisions/0030-numbers-that-are-no-levels.md.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NoReturn

import numpy as np
from PIL import Image

from models.decoding.errors import UnclearLevels

BAND = 1 << 20
"""Numbers that are worked on at once."""
HALF, EIGHTH = 0.5, 0.125
"""Of a range: what the largest number must exceed, and what the numbers must span, to show that they use it."""
FEW = 0.001
"""Share of the numbers at either end that show nothing: hot pixels, a lettering."""
MOST_TONES = 16
"""Of a drawing, all of which may be near black or white; photos and measurements hold more different numbers."""
WHITES = (255, 1023, 4095, 16383, 32767)
"""What white may be, for the example in a refusal: the end of the range in whose upper half the largest number is."""
SAMPLE = 1 << 18
"""Numbers, at least, by which the use of a range is judged."""


@dataclass(frozen=True)
class Numbers:
    """A picture's numbers by rows.

    `rows(top, bottom)` gives [n, width, channels]. `white` is what the file says is white, or None. `whole` is the
    range of numbers of this type: 65,535, 1 for floating point, None where there is no usual one.
    """

    rows: Callable[[int, int], np.ndarray]
    width: int
    height: int
    channels: int
    name: str
    white: float | None = None
    whole: float | None = 65535.0
    alpha: bool = False
    inverted: bool = False
    clear: tuple[int, ...] | None = None

    def bands(self, factor: int = 1) -> Iterator[tuple[int, int]]:
        """Rows that are worked on at once, in multiples of `factor`."""
        step = max(1, BAND // (self.width * self.channels * factor)) * factor
        return ((top, min(top + step, self.height)) for top in range(0, self.height, step))

    @property
    def colours(self) -> int:
        """Channels but for alpha."""
        return self.channels - self.alpha


def white_of(numbers: Numbers) -> float:
    """The number that is white. Raises UnclearLevels where it cannot be known."""
    least, most, finite = _extremes(numbers)
    if not finite:
        _refuse(numbers, "numbers that are not finite (NaN or infinity)", least, most)
    held = f"numbers from {_told(least)} to {_told(most)}"
    if least < 0:
        _refuse(numbers, f"{held}: negative ones are darker than black", least, most)
    if numbers.white is not None:
        if most > numbers.white:
            _refuse(numbers, f"{held}, although it says that {_told(numbers.white)} is white", least, most)
        return numbers.white
    if numbers.whole is None:
        _refuse(numbers, f"{held}, and does not say which of them is white", least, most)
    if most > numbers.whole:
        _refuse(numbers, f"{held}, which leave the usual range of 0 to {_told(numbers.whole)}", least, most)
    if numbers.whole == 65535 and _from_8_bits(numbers):
        return numbers.whole
    if most > HALF * numbers.whole and most - least >= EIGHTH * numbers.whole:
        fault = _unlike_the_range(numbers, numbers.whole)
        if not fault:
            return numbers.whole
        _refuse(numbers, f"{held}, {fault}", least, most)
    _refuse(
        numbers,
        f"{held}, too small a part of 0 to {_told(numbers.whole)} to be sure that {_told(numbers.whole)} is white",
        least,
        most,
    )


def _unlike_the_range(numbers: Numbers, whole: float) -> str:
    """Why numbers that reach far up may still be of another range; empty where they show that it is theirs."""
    some = np.sort(_sample(numbers))
    few = int(len(some) * FEW)
    low, high = float(some[few]), float(some[len(some) - 1 - few])
    if high - low < EIGHTH * whole:
        return f"nearly all of which lie between {_told(low)} and {_told(high)}, so that it is not sure which is white"
    at_the_ends = (some < EIGHTH * whole) | (some > (1 - EIGHTH) * whole)
    if whole == 65535 and at_the_ends.all() and len(np.unique(some)) > MOST_TONES:
        return "none of which is near the middle, as if negative numbers had been stored without their sign"
    return ""


def _sample(numbers: Numbers) -> np.ndarray:
    """Colours from all over the picture."""
    step = max(1, numbers.width * numbers.height * numbers.colours // SAMPLE) | 1  # odd: no column is left out
    bands = (numbers.rows(top, bottom)[..., : numbers.colours].reshape(-1) for top, bottom in numbers.bands())
    return np.concatenate([band[::step] for band in bands])


def bands_of_levels(numbers: Numbers, white: float, factor: int = 1) -> Iterator[Image.Image]:
    """The picture as 8-bit RGB, grey or with alpha, band by band."""
    for top, bottom in numbers.bands(factor):
        values = numbers.rows(top, bottom)
        levels = np.rint(values.astype(np.float64) * 255 / white).clip(0, 255).astype(np.uint8)
        if numbers.inverted:
            levels = 255 - levels
        if numbers.clear is not None:
            opaque = (values[..., : numbers.colours] != np.array(numbers.clear)).any(axis=-1, keepdims=True)
            levels = np.concatenate([levels[..., : numbers.colours], np.uint8(255) * opaque], axis=-1, dtype=np.uint8)
        yield Image.fromarray(np.ascontiguousarray(levels if levels.shape[-1] > 1 else levels[..., 0]))


def _extremes(numbers: Numbers) -> tuple[float, float, bool]:
    """Least and largest of the colours, and whether all are finite."""
    least, most, finite = np.inf, -np.inf, True
    for top, bottom in numbers.bands():
        values = numbers.rows(top, bottom)[..., : numbers.colours]
        finite = finite and bool(np.isfinite(values).all())
        least, most = min(least, float(values.min())), max(most, float(values.max()))
    return least, most, finite


def _from_8_bits(numbers: Numbers) -> bool:
    """Whether each is an 8-bit level times 257, as programs write that turn 8 bits into 16."""
    return all(not (numbers.rows(top, bottom)[..., : numbers.colours] % 257).any() for top, bottom in numbers.bands())


def _told(value: float) -> str:
    return f"{int(value):,}" if float(value).is_integer() else f"{value:.6g}"


def _refuse(numbers: Numbers, held: str, least: float, most: float) -> NoReturn:
    guess = next((whole for whole in WHITES if HALF * whole < most <= whole), None)
    example = f" (where white is {guess:,}: numpy.rint(numbers * (255 / {guess})))" if guess and least >= 0 else ""
    raise UnclearLevels(
        f"the {numbers.name} holds {held}",
        f"convert it to 8 bits per channel, with black as 0 and white as 255{example}",
    )

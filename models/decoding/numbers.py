"""Converting samples of more than 8 bits, or floating-point samples, to 8-bit levels.

For that it must be known which number is white; docs/decisions/0030-numbers-that-are-no-levels.md explains the rule.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NoReturn

import numpy as np
from PIL import Image

from models.decoding.errors import UnclearLevels

BAND = 1 << 20
"""Number of samples that are converted at once."""
HALF, EIGHTH = 0.5, 0.125
"""Fractions of a range: samples use the range if the largest exceeds HALF of it and they span EIGHTH of it."""
FEW = 0.001
"""Fraction of the samples at either end that is ignored: hot pixels, lettering."""
MOST_TONES = 16
"""Largest number of different values in a drawing, all of which may be near black or white; photos have more."""
WHITES = (255, 1023, 4095, 16383, 32767)
"""Numbers that white may be, for the example in an error: the range in whose upper half the largest sample lies."""
SAMPLE = 1 << 18
"""Smallest number of samples from which the use of a range is judged."""


@dataclass(frozen=True)
class Numbers:
    """The samples of a picture, which are read by rows.

    `rows(top, bottom)` returns the samples of these rows, [n, width, channels]. `name` describes the picture in errors.
    `white` is the number that is white according to the file, or None. `type_max` is the largest number of this type of
    samples: 65,535, 1 for floating point, None if there is no usual one. With `alpha` the last channel is the alpha
    channel, `inverted` means that 0 is white, and `clear` is the colour that is transparent.
    """

    rows: Callable[[int, int], np.ndarray]
    width: int
    height: int
    channels: int
    name: str
    white: float | None = None
    type_max: float | None = 65535.0
    alpha: bool = False
    inverted: bool = False
    clear: tuple[int, ...] | None = None

    def bands(self, factor: int = 1) -> Iterator[tuple[int, int]]:
        """First and last row (exclusive) of each band; bands but the last have a multiple of `factor` rows."""
        step = max(1, BAND // (self.width * self.channels * factor)) * factor
        return ((top, min(top + step, self.height)) for top in range(0, self.height, step))

    @property
    def colours(self) -> int:
        """Number of channels without alpha."""
        return self.channels - self.alpha


def white_of(numbers: Numbers) -> float:
    """The number that is white; raises UnclearLevels if it cannot be known."""
    least, most, finite = _extremes(numbers)
    if not finite:
        _refuse(numbers, "numbers that are not finite (NaN or infinity)", least, most)
    contents = f"numbers from {_text(least)} to {_text(most)}"
    if least < 0:
        _refuse(numbers, f"{contents}: negative ones are darker than black", least, most)
    if numbers.white is not None:
        if most > numbers.white:
            _refuse(numbers, f"{contents}, although it says that {_text(numbers.white)} is white", least, most)
        return numbers.white
    if numbers.type_max is None:
        _refuse(numbers, f"{contents}, and does not say which of them is white", least, most)
    if most > numbers.type_max:
        _refuse(numbers, f"{contents}, which leave the usual range of 0 to {_text(numbers.type_max)}", least, most)
    if numbers.type_max == 65535 and _from_8_bits(numbers):
        return numbers.type_max
    if most > HALF * numbers.type_max and most - least >= EIGHTH * numbers.type_max:
        fault = _unlike_the_range(numbers, numbers.type_max)
        if not fault:
            return numbers.type_max
        _refuse(numbers, f"{contents}, {fault}", least, most)
    _refuse(
        numbers,
        f"{contents}, too small a part of 0 to {_text(numbers.type_max)} to be sure that {_text(numbers.type_max)} is"
        " white",
        least,
        most,
    )


def _unlike_the_range(numbers: Numbers, top: float) -> str:
    """Why samples that reach far up may still have another range; empty if they use this one."""
    samples = np.sort(_sample(numbers))
    ignored = int(len(samples) * FEW)
    low, high = float(samples[ignored]), float(samples[len(samples) - 1 - ignored])
    if high - low < EIGHTH * top:
        return f"nearly all of which lie between {_text(low)} and {_text(high)}, so that it is not sure which is white"
    at_the_ends = (samples < EIGHTH * top) | (samples > (1 - EIGHTH) * top)
    if top == 65535 and at_the_ends.all() and len(np.unique(samples)) > MOST_TONES:
        return "none of which is near the middle, as if negative numbers had been stored without their sign"
    return ""


def _sample(numbers: Numbers) -> np.ndarray:
    """Samples of the colours from all over the picture."""
    step = max(1, numbers.width * numbers.height * numbers.colours // SAMPLE) | 1  # odd: no column is left out
    bands = (numbers.rows(top, bottom)[..., : numbers.colours].reshape(-1) for top, bottom in numbers.bands())
    return np.concatenate([band[::step] for band in bands])


def bands_of_levels(numbers: Numbers, white: float, factor: int = 1) -> Iterator[Image.Image]:
    """The picture as 8-bit RGB or grey, perhaps with alpha, band by band."""
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
    """Smallest and largest sample of the colours, and whether all are finite."""
    least, most, finite = np.inf, -np.inf, True
    for top, bottom in numbers.bands():
        values = numbers.rows(top, bottom)[..., : numbers.colours]
        finite = finite and bool(np.isfinite(values).all())
        least, most = min(least, float(values.min())), max(most, float(values.max()))
    return least, most, finite


def _from_8_bits(numbers: Numbers) -> bool:
    """Whether each sample is an 8-bit level times 257, as programs write that convert 8 bits to 16."""
    return all(not (numbers.rows(top, bottom)[..., : numbers.colours] % 257).any() for top, bottom in numbers.bands())


def _text(value: float) -> str:
    return f"{int(value):,}" if float(value).is_integer() else f"{value:.6g}"


def _refuse(numbers: Numbers, contents: str, least: float, most: float) -> NoReturn:
    guess = next((white for white in WHITES if HALF * white < most <= white), None)
    example = f" (where white is {guess:,}: numpy.rint(numbers * (255 / {guess})))" if guess and least >= 0 else ""
    raise UnclearLevels(
        f"the {numbers.name} holds {contents}",
        f"convert it to 8 bits per channel, with black as 0 and white as 255{example}",
    )

"""How many bytes of memory the parts of a request take; measured, and rounded up (docs/benchmarks.md)."""

from collections.abc import Callable

BODY = 3
"""Bytes for each byte of a request body: its pieces, the whole, and the file in it."""
DECODING = 32
"""Bytes for each pixel while a picture is decoded: 14 to 25 in the decoder's process, and 7 in the service."""
PICTURE = 3
"""Bytes for each pixel of a decoded picture: three levels."""
ATTACKED = 150
"""Bytes for each pixel that an attack, a curve or an explanation holds, until its response is written."""
DRAWN = 60
"""Bytes for each pixel that the drawing of an ideal picture holds, until its response is written."""
SHOWN = 60
"""Bytes for each pixel of a picture of which feature maps are shown."""
SMALL_PIXELS = 1_000_000
"""Pixels of a picture for whose decoding memory is reserved before its size is known, which spares a question."""
DECODER_PROCESS = 50_000_000
"""Bytes of an idle decoder process."""
SPARE = 1.1
"""How many times as much as its highest peak so far the process is taken to need for itself and one batch."""
LEAST = 100_000_000
"""Bytes that requests may take in any case, so that small pictures are still served."""

ALWAYS_LEFT = 50_000_000
"""Bytes that pictures under work leave free, so that small pictures can be classified beside them."""

Cost = Callable[[int], int]
"""Bytes of what a request holds after decoding, as a function of the number of pixels of its picture."""


def of_decoding(pixels: int) -> int:
    """Bytes that decoding a picture of so many pixels takes."""
    return DECODING * pixels


def of_pixels(each: int) -> Cost:
    """A cost of so many bytes for each pixel, the decoded picture included."""
    return lambda pixels: (PICTURE + each) * pixels

"""How many bytes of memory the parts of a request take; measured, and rounded up (docs/benchmarks.md).

What operations take for each pixel is measured by `python -m soak memory`, as (peak 2 - peak 1) / (pixels 2 - pixels 1)
of photos of 800 x 800 and 2000 x 2000 pixels, with the decoded picture and the passes through a small network. Of one
to three runs, lowest to highest: attacks by default 183 to 250, DDN 153 to 213, APGD in L1 184 to 264, PGD 98 to 155,
and 241 to 302 with a JPEG response (for which twice is reserved), Square 115 to 151, patch 320 to 397 (four times), a
curve 218 to 246 before it has found a change (with the bundled model 545, by the process's growth while six curves wait
for the network), nearest classes 27 to 33; Grad-CAM 93 to 108, SmoothGrad 76 to 103, integrated gradients 76 to 106;
eight feature maps 29. On an Intel Xeon (two cores, shared with other programs), Python 3.11.7, PyTorch 2.15.0, Pillow
13.0.0.
"""

from collections.abc import Callable

BODY = 3
"""Bytes for each byte of a request body: its pieces, the whole, and the file in it."""
IN_DECODER = 25
"""Bytes for each pixel that a decoder process takes for a picture: 14 to 25."""
DECODING = IN_DECODER + 7
"""Bytes for each pixel while a picture is decoded: in the decoder's process, and 7 in the service."""
PICTURE = 3
"""Bytes for each pixel of a decoded picture: three levels."""
ATTACKED = 280
"""Bytes for each pixel that an attack holds, until its response is written."""
EXPLAINED = 150
"""Bytes for each pixel that an explanation or the search for the nearest classes holds, until its response is written.
"""
CURVED = 650
"""Bytes for each pixel that a curve holds, which attacks within all its budgets at the same time."""
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

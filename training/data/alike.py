"""Photos that are nearly the same: scaled or compressed copies, told by their thumbnails. A crop is another photo."""

from collections import defaultdict
from collections.abc import Iterator, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

CORRELATION = 0.998
"""Of grey thumbnails of 16 x 16. Half-sized copies and JPEGs of quality 30 lie above 0.999 of a hundred photos' own; of
16,000 photos of cats and dogs five pairs lie above it, all of them copies, and no other pair above 0.95."""
DIFFERENCE = 4.0
"""Mean difference of colour thumbnails in levels of 255; of those copies it is 1.3 at most."""
BLOCK = 2048


def alike(thumbnails: Sequence[bytes]) -> list[int]:
    """For each thumbnail (RGB of one size, as bytes) the index of the first that it is nearly the same as, or its own.

    The cost grows with the square of the number; 16,000 photos take seconds.
    """
    if not thumbnails:
        return []
    levels = torch.frombuffer(bytearray(b"".join(thumbnails)), dtype=torch.uint8).reshape(len(thumbnails), 3, -1)
    first = list(range(len(thumbnails)))
    for earlier, later in _pairs(levels):
        # An own leader only: chains of slight changes would end in photos that are not alike at all.
        if first[earlier] == earlier and first[later] == later:
            first[later] = earlier
    return first


def _pairs(levels: Tensor) -> Iterator[tuple[int, int]]:
    """Pairs of indices that look the same, the earlier first, in order of the earlier."""
    grey = _standard(levels.float().mean(dim=1))
    found: dict[int, list[int]] = defaultdict(list)
    for start in range(0, len(grey), BLOCK):
        for other in range(start, len(grey), BLOCK):
            near = grey[start : start + BLOCK] @ grey[other : other + BLOCK].T > CORRELATION
            for row, column in near.nonzero().tolist():
                earlier, later = start + row, other + column
                if earlier < later and _difference(levels, earlier, later) < DIFFERENCE:
                    found[earlier].append(later)
    for earlier in sorted(found):
        for later in sorted(found[earlier]):
            yield earlier, later


def _standard(grey: Float[Tensor, "n p"]) -> Float[Tensor, "n p"]:
    """Of mean 0 and length 1, so that products are correlations; what hardly varies correlates with nothing."""
    centred = grey - grey.mean(dim=1, keepdim=True)
    length = centred.norm(dim=1, keepdim=True)
    return torch.where(length > grey.shape[1] ** 0.5, centred / length.clamp(min=1e-6), 0.0)


def _difference(levels: Tensor, one: int, other: int) -> float:
    return (levels[one].float() - levels[other].float()).abs().mean().item()

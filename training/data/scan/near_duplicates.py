"""Photos that are nearly the same: scaled or compressed copies, told by their thumbnails. A crop is another photo."""

from collections.abc import Iterator, Sequence

import torch
from jaxtyping import Float, Int64, UInt8
from torch import Tensor

CORRELATION = 0.998
"""Of grey thumbnails of 16 x 16. Half-sized copies and JPEGs of quality 30 lie above 0.999 of a hundred photos' own; of
16,000 photos of cats and dogs five pairs lie above it, all of them copies, and no other pair above 0.95."""
DIFFERENCE = 4.0
"""Mean difference of colour thumbnails in levels of 255; of those copies it is 1.3 at most."""
BLOCK = 2048
AT_ONCE = 65_536

Pairs = Int64[Tensor, "pairs 2"]


def alike(thumbnails: Sequence[bytes]) -> Iterator[Pairs]:
    """Indices of all thumbnails (RGB of one size, as bytes) that look the same, two by two, the earlier first.

    The cost grows with the square of the number; 16,000 photos take seconds. Pairs come some at a time: of a camera's
    frames there may be more than the memory holds.
    """
    if not thumbnails:
        return
    levels = torch.frombuffer(bytearray(b"".join(thumbnails)), dtype=torch.uint8).reshape(len(thumbnails), 3, -1)
    grey = _standard(levels.float().mean(dim=1))
    for start in range(0, len(grey), BLOCK):
        for other in range(start, len(grey), BLOCK):
            near = (grey[start : start + BLOCK] @ grey[other : other + BLOCK].T > CORRELATION).nonzero()
            found = near + torch.tensor([start, other])
            for some in found[found[:, 0] < found[:, 1]].split(AT_ONCE):
                yield some[_difference(levels, some) < DIFFERENCE]


def joined(first: Int64[Tensor, " n"], pairs: Pairs) -> Int64[Tensor, " n"]:
    """For each photo the first of those that it is linked to, through others too, when these pairs link some more.

    Before there are any pairs each photo's first is itself.
    """
    one, other = pairs.unbind(dim=1)
    while True:
        least = torch.minimum(first[one], first[other])
        nearer = first.scatter_reduce(0, first[one], least, "amin").scatter_reduce(0, first[other], least, "amin")
        while not torch.equal(nearer, nearer[nearer]):
            nearer = nearer[nearer]
        if torch.equal(nearer, first):
            return first
        first = nearer


def earliest(known: Int64[Tensor, " n"], pairs: Pairs) -> Int64[Tensor, " n"]:
    """For each photo that is the second of a pair, the earliest of the firsts, those known included."""
    one, other = pairs.unbind(dim=1)
    return known.scatter_reduce(0, other, one, "amin")


def _standard(grey: Float[Tensor, "n p"]) -> Float[Tensor, "n p"]:
    """Of mean 0 and length 1, so that products are correlations; what hardly varies correlates with nothing."""
    centred = grey - grey.mean(dim=1, keepdim=True)
    length = centred.norm(dim=1, keepdim=True)
    return torch.where(length > grey.shape[1] ** 0.5, centred / length.clamp(min=1e-6), 0.0)


def _difference(levels: UInt8[Tensor, "n 3 p"], pairs: Int64[Tensor, "some 2"]) -> Float[Tensor, " some"]:
    one, other = (levels[indices].float() for indices in pairs.unbind(dim=1))
    return (one - other).abs().mean(dim=(1, 2))

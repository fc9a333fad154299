"""Near-duplicates: scaled or compressed copies of a photo, recognised by their thumbnails. A crop is not one."""

from collections.abc import Iterator, Sequence

import torch
from jaxtyping import Float, Int64, UInt8
from torch import Tensor

MIN_CORRELATION = 0.998
"""Smallest correlation of the grey 16 x 16 thumbnails of near-duplicates.

The thumbnails of a hundred photos and of their half-sized copies, or JPEGs of quality 30, correlate by more than 0.999.
Of 16,000 photos of cats and dogs five pairs lie above this threshold, all of them copies, and no other pair lies above
0.95."""
MAX_DIFFERENCE = 4.0
"""Largest mean difference of the colour thumbnails of near-duplicates, in levels of 255; of those copies it is at most
1.3."""
BLOCK = 2048
"""Number of photos per block: the correlations of two blocks are computed at once."""
MAX_PAIRS = 65_536
"""Number of pairs whose colours are compared at once."""

Pairs = Int64[Tensor, "pairs 2"]
"""Two indices of photos per row, the smaller one first."""


def near_duplicate_pairs(thumbnails: Sequence[bytes]) -> Iterator[Pairs]:
    """The indices of all pairs of thumbnails (RGB, all of one size, as bytes) that look the same.

    The cost grows with the square of the number of photos; 16,000 take seconds. The pairs come in several tensors: of
    the frames of one camera there may be more than the memory holds.
    """
    if not thumbnails:
        return
    levels = torch.frombuffer(bytearray(b"".join(thumbnails)), dtype=torch.uint8).reshape(len(thumbnails), 3, -1)
    grey = _standardize(levels.float().mean(dim=1))
    for row in range(0, len(grey), BLOCK):
        for column in range(row, len(grey), BLOCK):
            is_near = grey[row : row + BLOCK] @ grey[column : column + BLOCK].T > MIN_CORRELATION
            candidates = is_near.nonzero() + torch.tensor([row, column])
            for pairs in candidates[candidates[:, 0] < candidates[:, 1]].split(MAX_PAIRS):
                yield pairs[_mean_difference(levels, pairs) < MAX_DIFFERENCE]


def merge_groups(first: Int64[Tensor, " n"], pairs: Pairs) -> Int64[Tensor, " n"]:
    """The groups of photos after the photos of these pairs have been joined, directly or through others.

    `first` has for each photo the first photo of its group; to begin with it is the photo itself.
    """
    one, other = pairs.unbind(dim=1)
    while True:
        least = torch.minimum(first[one], first[other])
        merged = first.scatter_reduce(0, first[one], least, "amin").scatter_reduce(0, first[other], least, "amin")
        while not torch.equal(merged, merged[merged]):
            merged = merged[merged]
        if torch.equal(merged, first):
            return first
        first = merged


def earliest_partner(earliest: Int64[Tensor, " n"], pairs: Pairs) -> Int64[Tensor, " n"]:
    """For each photo that is the second of a pair, the smallest first of such pairs, or `earliest` if that is less."""
    one, other = pairs.unbind(dim=1)
    return earliest.scatter_reduce(0, other, one, "amin")


def _standardize(grey: Float[Tensor, "n p"]) -> Float[Tensor, "n p"]:
    """Rows of mean 0 and length 1, so that products are correlations; a row that hardly varies becomes 0."""
    centred = grey - grey.mean(dim=1, keepdim=True)
    length = centred.norm(dim=1, keepdim=True)
    return torch.where(length > grey.shape[1] ** 0.5, centred / length.clamp(min=1e-6), 0.0)


def _mean_difference(levels: UInt8[Tensor, "n 3 p"], pairs: Int64[Tensor, "some 2"]) -> Float[Tensor, " some"]:
    one, other = (levels[indices].float() for indices in pairs.unbind(dim=1))
    return (one - other).abs().mean(dim=(1, 2))

"""How visible an attack's change is to a person: SSIM, colour differences, and a heat map of the change."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import UInt8
from numpy.typing import NDArray
from skimage.color import deltaE_ciede2000, rgb2lab
from skimage.metrics import structural_similarity
from torch import Tensor

from models.colour_map import coloured

Levels = UInt8[Tensor, "3 h w"]
Array = NDArray[np.float64]

BAND = 2**19
"""Largest number of pixels whose SSIM is computed at once; they take about 80 MB."""
SAMPLED = 1_000_000
"""Largest number of changed pixels whose colours are compared."""


@dataclass(frozen=True)
class Perception:
    """How visible a change is.

    `ssim` is the structural similarity, 1 if nothing changed (Wang et al. 2004, doi.org/10.1109/TIP.2003.819861).
    `ciede2000_mean` and `ciede2000_p95` are the mean and the 95th percentile of the colour difference over all pixels,
    also unchanged ones; 1 is just noticeable side by side (Sharma et al. 2005, doi.org/10.1002/col.20070).
    `mean_levels` is the mean change of a value, in levels of 255. `unchanged` is the share of all values, three per
    pixel, that are what they were.
    """

    ssim: float
    ciede2000_mean: float
    ciede2000_p95: float
    mean_levels: float
    unchanged: float


def perception(picture: Levels, origin: Levels) -> Perception:
    """Compare a changed picture with its origin, in bounded memory.

    SSIM is the mean over windows of 7 x 7 pixels and over channels; the windows are smaller if a side of the picture
    is. A picture with a side below 3 pixels has no window: its SSIM is 1 if nothing changed, else 0. If more than a
    million pixels changed, the colours of a million of them, evenly spread, are compared.
    """
    picture, origin = picture.cpu(), origin.cpu()
    distances, changed = _colour_distances(picture, origin)
    pixels = picture[0].numel()
    difference = _difference(picture, origin)
    return Perception(
        ssim=_ssim(picture, origin),
        ciede2000_mean=float(distances.mean()) * changed / pixels if changed else 0.0,
        ciede2000_p95=_percentile(distances, changed, pixels, 0.95),
        mean_levels=difference.sum().item() / picture.numel(),
        unchanged=1 - difference.count_nonzero().item() / picture.numel(),
    )


def heat_map(picture: Levels, origin: Levels) -> Levels:
    """Each pixel's largest change over channels, from black (none) to yellow (the largest in the picture)."""
    change = _difference(picture.cpu(), origin.cpu()).amax(dim=0)
    return coloured(change.float().div_(max(change.max().item(), 1)))


def _difference(picture: Levels, origin: Levels) -> Levels:
    return torch.maximum(picture, origin) - torch.minimum(picture, origin)


def _ssim(picture: Levels, origin: Levels) -> float:
    """The mean over all windows; it is 1 where nothing changed, so only the box around the changes is computed."""
    height, width = picture.shape[1:]
    shorter = min(height, width)
    window = min(7, shorter - 1 + shorter % 2)
    changed = (picture != origin).any(dim=0)
    if not changed.any() or window < 3:
        return 0.0 if changed.any() else 1.0
    # Ranges of windows, by their first row and column.
    (top, bottom), (left, right) = (_windows(changed.any(dim=dim), window) for dim in (1, 0))
    lost = 0.0
    columns = slice(left, right + window - 1)
    for first, last in _bands(top, bottom, right - left):
        strip = (slice(None), slice(first, last + window - 1), columns)
        after, before = (levels[strip].permute(1, 2, 0).numpy() for levels in (picture, origin))
        mean = structural_similarity(after, before, win_size=window, channel_axis=2, data_range=255)
        lost += (1 - float(mean)) * (last - first) * (right - left)
    return 1 - lost / ((height - window + 1) * (width - window + 1))


def _windows(changed: Tensor, window: int) -> tuple[int, int]:
    """The first window along an axis that contains a change, and the one after the last such window."""
    places = changed.nonzero()
    first, last = int(places[0]), int(places[-1])
    return max(0, first - window + 1), min(last + 1, len(changed) - window + 1)


def _bands(top: int, bottom: int, width: int) -> Iterator[tuple[int, int]]:
    rows = max(1, BAND // width)
    for first in range(top, bottom, rows):
        yield first, min(first + rows, bottom)


def _colour_distances(picture: Levels, origin: Levels) -> tuple[Array, int]:
    """CIEDE2000 of at most SAMPLED changed pixels, and the number of changed pixels."""
    places = (picture != origin).any(dim=0).flatten().nonzero().flatten()
    changed = len(places)
    if changed > SAMPLED:
        places = places[torch.arange(SAMPLED) * changed // SAMPLED]
    colours = [levels.flatten(1)[:, places].T.numpy() for levels in (picture, origin)]
    parts = zip(*(np.array_split(values, max(1, len(places) // 2**17)) for values in colours), strict=True)
    distances = [deltaE_ciede2000(rgb2lab(after), rgb2lab(before)) for after, before in parts if len(after)]
    return np.concatenate([np.zeros(0), *distances]), changed


def _percentile(distances: Array, changed: int, pixels: int, share: float) -> float:
    """The percentile over all pixels: unchanged ones have distance 0, and `distances` represent the changed ones."""
    rank = share * (pixels - 1) - (pixels - changed)
    if rank <= -1:
        return 0.0
    if rank < 0:
        return (1 + rank) * float(distances.min())
    return float(np.quantile(distances, min(1.0, rank / max(changed - 1, 1))))

"""How a person would see an attack's change."""

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
"""Pixels whose SSIM is computed at once: some 80 MB."""
SAMPLED = 1_000_000
"""Most changed pixels whose colours are compared."""


@dataclass(frozen=True)
class Perception:
    """What of a change is to be seen.

    `ssim` is 1 where no structure changed (Wang et al. 2004, doi.org/10.1109/TIP.2003.819861). `ciede2000_mean` and
    `ciede2000_p95` are of the colour differences of all pixels, unchanged ones among them; 1 is just noticeable side by
    side (Sharma et al. 2005, doi.org/10.1002/col.20070). `mean_levels` is the mean change of a value, of 255.
    """

    ssim: float
    ciede2000_mean: float
    ciede2000_p95: float
    mean_levels: float


def perception(picture: Levels, origin: Levels) -> Perception:
    """Compare a changed picture with its origin, in bounded memory.

    SSIM is the mean over windows of 7 x 7 pixels and over channels; windows are smaller on pictures of fewer pixels
    across. Under 3 pixels across there is no window: then it is 1 where nothing changed, else 0. Of more than a million
    changed pixels a million, evenly spread, have their colours compared.
    """
    picture, origin = picture.cpu(), origin.cpu()
    distances, changed = _colour_distances(picture, origin)
    pixels = picture[0].numel()
    return Perception(
        ssim=_ssim(picture, origin),
        ciede2000_mean=float(distances.mean()) * changed / pixels if changed else 0.0,
        ciede2000_p95=_percentile(distances, changed, pixels, 0.95),
        mean_levels=_moved(picture, origin).sum().item() / picture.numel(),
    )


def heat_map(picture: Levels, origin: Levels) -> Levels:
    """Where the change is: each pixel's largest over channels, from black (none) to yellow (the most)."""
    change = _moved(picture.cpu(), origin.cpu()).amax(dim=0)
    return coloured(change.float().div_(max(change.max().item(), 1)))


def _moved(picture: Levels, origin: Levels) -> Levels:
    return torch.maximum(picture, origin) - torch.minimum(picture, origin)


def _ssim(picture: Levels, origin: Levels) -> float:
    """The mean over all windows: 1 where nothing changed, so only the box around the changes is computed."""
    height, width = picture.shape[1:]
    shorter = min(height, width)
    window = min(7, shorter - 1 + shorter % 2)
    changed = (picture != origin).any(dim=0)
    if not changed.any() or window < 3:
        return 0.0 if changed.any() else 1.0
    (top, bottom), (left, right) = (
        _windows(changed.any(dim=other), window) for other in (1, 0)
    )  # of windows, by their first row and column
    lost = 0.0
    columns = slice(left, right + window - 1)
    for first, last in _bands(top, bottom, right - left):
        strip = (slice(None), slice(first, last + window - 1), columns)
        here, there = (each[strip].permute(1, 2, 0).numpy() for each in (picture, origin))
        mean = structural_similarity(here, there, win_size=window, channel_axis=2, data_range=255)
        lost += (1 - float(mean)) * (last - first) * (right - left)
    return 1 - lost / ((height - window + 1) * (width - window + 1))


def _windows(changed: Tensor, window: int) -> tuple[int, int]:
    """The first window along an axis that holds a change, and the one after the last."""
    places = changed.nonzero()
    first, last = int(places[0]), int(places[-1])
    return max(0, first - window + 1), min(last + 1, len(changed) - window + 1)


def _bands(top: int, bottom: int, width: int) -> Iterator[tuple[int, int]]:
    rows = max(1, BAND // width)
    for first in range(top, bottom, rows):
        yield first, min(first + rows, bottom)


def _colour_distances(picture: Levels, origin: Levels) -> tuple[Array, int]:
    """CIEDE2000 of changed pixels, at most SAMPLED of them, and how many changed."""
    places = (picture != origin).any(dim=0).flatten().nonzero().flatten()
    changed = len(places)
    if changed > SAMPLED:
        places = places[torch.arange(SAMPLED) * changed // SAMPLED]
    colours = [each.flatten(1)[:, places].T.numpy() for each in (picture, origin)]
    parts = zip(*(np.array_split(each, max(1, len(places) // 2**17)) for each in colours), strict=True)
    distances = [deltaE_ciede2000(rgb2lab(here), rgb2lab(there)) for here, there in parts if len(here)]
    return np.concatenate([np.zeros(0), *distances]), changed


def _percentile(distances: Array, changed: int, pixels: int, share: float) -> float:
    """Of all pixels: the unchanged ones, at 0, come first, and the distances stand for the changed ones."""
    rank = share * (pixels - 1) - (pixels - changed)
    if rank <= -1:
        return 0.0
    if rank < 0:
        return (1 + rank) * float(distances.min())
    return float(np.quantile(distances, min(1.0, rank / max(changed - 1, 1))))

"""A layer's channels as one labelled picture: maps, or bars where a map is a single pixel."""

import math
from typing import Any

import numpy as np
import torch
from jaxtyping import UInt8
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from torch import Tensor

from models.features import Features
from models.lettering import escaped, lettered

CELL = 1.5
"""Inches of a map, at DOTS each."""
DOTS = 100
HEAD, LABEL = 0.6, 0.2
"""Inches above all maps, and above each."""


def feature_sheet(found: Features, model: str) -> UInt8[Tensor, "3 h w"]:
    """What the network saw, then each shown channel's map with its number and its largest value, from dark to bright.

    Every map is scaled by itself: a weak one is as bright as a strong one.
    """
    layer = found.layer
    figure = _bars(found) if layer.height * layer.width == 1 else _maps(found)
    shape = f"{layer.channels} x {layer.height} x {layer.width}"
    what = "value by channel" if layer.height * layer.width == 1 else "channel: largest value"
    title = f"{escaped(model)}  {layer.name} ({layer.kind}, {shape})"
    seen = lettered([found.prediction.label], [found.prediction.index])
    text = f"{title}\n{what}; seen as {seen.texts[0]}"
    figure.suptitle(text, fontsize=9, parse_math=False, fontfamily=list(seen.families))
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    pixels = np.asarray(canvas.buffer_rgba())[..., :3].copy()
    return torch.from_numpy(pixels).permute(2, 0, 1).contiguous()


def _maps(found: Features) -> Figure:
    cells = len(found.shown) + 1
    columns = min(cells, max(4, math.ceil(math.sqrt(cells))))
    rows = math.ceil(cells / columns)
    figure = _figure(max(4, columns) * CELL, rows * (CELL + LABEL) + HEAD)
    axes = figure.subplots(rows, columns, squeeze=False).flatten()
    for each in axes:
        each.set_axis_off()
    _saw(axes[0], found)
    for place, channel, values in zip(axes[1:], found.shown, found.maps, strict=False):
        place.imshow(values.float().numpy(), cmap="viridis", interpolation="nearest")
        place.set_title(f"{channel.channel}: {channel.largest:.3g}", fontsize=8)
    return figure


def _bars(found: Features) -> Figure:
    figure = _figure(4 * CELL, max(2 * CELL, len(found.shown) * LABEL) + HEAD)
    saw, bars = figure.subplots(1, 2, width_ratios=(1, 2))
    saw.set_axis_off()
    _saw(saw, found)
    names = [str(each.channel) for each in found.shown]
    bars.barh(range(len(names)), [each.mean for each in found.shown])
    bars.set_yticks(range(len(names)), names, fontsize=8)
    bars.tick_params(axis="x", labelsize=8)
    bars.invert_yaxis()
    bars.axvline(0, color="black", linewidth=0.8)
    return figure


def _figure(width: float, height: float) -> Figure:
    return Figure(figsize=(width, height), dpi=DOTS, layout="constrained")


def _saw(axes: Any, found: Features) -> None:
    axes.imshow(found.seen.permute(1, 2, 0).cpu().numpy())
    axes.set_title("what it saw", fontsize=8)

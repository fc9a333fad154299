"""The channels of a layer as one labelled picture: their maps, or bars if each map is a single pixel."""

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
"""Width and height of a map in inches."""
DOTS = 100
"""Pixels per inch."""
HEAD, LABEL = 0.6, 0.2
"""Height in inches of the title above all maps, and of the label above each."""


def feature_sheet(features: Features, model: str) -> UInt8[Tensor, "3 h w"]:
    """The input of the network, then the map of each shown channel with its number and its largest value.

    Each map is scaled by itself from dark to bright, so a weak one is as bright as a strong one.
    """
    layer = features.layer
    figure = _bars(features) if layer.height * layer.width == 1 else _maps(features)
    shape = f"{layer.channels} x {layer.height} x {layer.width}"
    caption = "value by channel" if layer.height * layer.width == 1 else "channel: largest value"
    title = f"{escaped(model)}  {layer.name} ({layer.kind}, {shape})"
    label = lettered([features.prediction.label], [features.prediction.index])
    text = f"{title}\n{caption}; classified as {label.texts[0]}"
    figure.suptitle(text, fontsize=9, parse_math=False, fontfamily=list(label.families))
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    pixels = np.asarray(canvas.buffer_rgba())[..., :3].copy()
    return torch.from_numpy(pixels).permute(2, 0, 1).contiguous()


def _maps(features: Features) -> Figure:
    cells = len(features.shown) + 1
    columns = min(cells, max(4, math.ceil(math.sqrt(cells))))
    rows = math.ceil(cells / columns)
    figure = _figure(max(4, columns) * CELL, rows * (CELL + LABEL) + HEAD)
    axes = figure.subplots(rows, columns, squeeze=False).flatten()
    for cell in axes:
        cell.set_axis_off()
    _draw_input(axes[0], features)
    for cell, channel, values in zip(axes[1:], features.shown, features.maps, strict=False):
        cell.imshow(values.float().numpy(), cmap="viridis", interpolation="nearest")
        cell.set_title(f"{channel.channel}: {channel.largest:.3g}", fontsize=8)
    return figure


def _bars(features: Features) -> Figure:
    figure = _figure(4 * CELL, max(2 * CELL, len(features.shown) * LABEL) + HEAD)
    input_axes, bars = figure.subplots(1, 2, width_ratios=(1, 2))
    input_axes.set_axis_off()
    _draw_input(input_axes, features)
    names = [str(channel.channel) for channel in features.shown]
    bars.barh(range(len(names)), [channel.mean for channel in features.shown])
    bars.set_yticks(range(len(names)), names, fontsize=8)
    bars.tick_params(axis="x", labelsize=8)
    bars.invert_yaxis()
    bars.axvline(0, color="black", linewidth=0.8)
    return figure


def _figure(width: float, height: float) -> Figure:
    return Figure(figsize=(width, height), dpi=DOTS, layout="constrained")


def _draw_input(axes: Any, features: Features) -> None:
    axes.imshow(features.network_input.permute(1, 2, 0).cpu().numpy())
    axes.set_title("network input", fontsize=8)

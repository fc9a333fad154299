"""A curve of probabilities against budgets, drawn as a picture."""

import numpy as np
import torch
from jaxtyping import UInt8
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from torch import Tensor

from models.attacks.curve import Curve
from models.lettering import FROM_LEFT, lettered

UNITS = {"linf": "Linf, in levels of 255", "l2": "L2", "l1": "L1"}
"""Label of the budget axis for each norm."""
SIZE_FORMATS = {"linf": "Linf {:.0f}/255", "l2": "L2 {:.3f}", "l1": "L1 {:.2f}", "l0": "L0 {:.0f} pixels"}
"""Format of the size of a change in each norm."""


def plot(curve: Curve) -> UInt8[Tensor, "3 h w"]:
    """Both probabilities against the budget; the title has the smallest change found in each norm."""
    figure = Figure(figsize=(7.2, 4.8), dpi=120, layout="constrained")
    canvas = FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    unit = 255 if curve.norm == "linf" else 1
    budgets = [point.epsilon * unit for point in curve.points]
    classes = [curve.original] if curve.target is None else [curve.original, curve.target]
    names = lettered([prediction.label for prediction in classes], [prediction.index for prediction in classes])
    original, goal = names.texts if len(classes) == 2 else (names.texts[0], "any other class")
    axes.plot(budgets, [point.original for point in curve.points], "o-", label=f"p({original})")
    axes.plot(budgets, [point.goal for point in curve.points], "s-", label=f"p({goal})")
    smallest = curve.smallest.get(curve.norm)
    if smallest is not None and smallest.success:
        axes.axvline(smallest.norms[curve.norm] * unit, color="grey", linestyle="--", label="smallest change found")
    axes.set(xlabel=f"budget ({UNITS[curve.norm]})", ylabel="probability", ylim=(-0.02, 1.02))
    axes.grid(alpha=0.3)
    for text in axes.legend().get_texts():
        text.set(parse_math=False, fontfamily=list(names.families))
    title = f"{FROM_LEFT}original: {original}, target: {goal}\n{_smallest(curve)}"
    figure.suptitle(title, fontsize=10, parse_math=False, fontfamily=list(names.families))
    canvas.draw()
    pixels = np.asarray(canvas.buffer_rgba())[..., :3].copy()
    return torch.from_numpy(pixels).permute(2, 0, 1).contiguous()


def _smallest(curve: Curve) -> str:
    sizes = []
    for norm, result in curve.smallest.items():
        value = result.norms[norm] * (255 if norm == "linf" else 1)
        sizes.append(SIZE_FORMATS[norm].format(value) if result.success else f"{norm} not found")
    return "smallest change: " + (", ".join(sizes) or "not searched for")

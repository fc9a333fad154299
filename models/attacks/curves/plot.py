"""A curve of probabilities against budgets, drawn as a picture."""

import numpy as np
import torch
from jaxtyping import UInt8
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from torch import Tensor

from models.attacks.curves.curve import Curve
from models.lettering import FROM_LEFT, lettered

AXES = {
    "linf": "budget: largest change of any value, in levels of 255 (Linf)",
    "l2": "budget: L2 norm of the change, with pixel values from 0 to 1",
    "l1": "budget: L1 norm of the change, with pixel values from 0 to 1",
}
"""Label of the budget axis for each norm."""
SIZE_FORMATS = {"linf": "Linf {:.0f}/255", "l2": "L2 {:.3f}", "l1": "L1 {:.2f}", "l0": "L0 {:.0f} pixels"}
"""Format of the size of a change in each norm."""


def plot(curve: Curve) -> UInt8[Tensor, "3 h w"]:
    """Both probabilities against the budget; the title has the smallest change found in each norm.

    Budgets within which the model is fooled have a grey background, and their points are filled.
    """
    figure = Figure(figsize=(7.2, 5.2), dpi=120, layout="constrained")
    canvas = FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    classes = [curve.original] if curve.target is None else [curve.original, curve.target]
    names = lettered([prediction.label for prediction in classes], [prediction.index for prediction in classes])
    original, goal = names.texts if len(classes) == 2 else (names.texts[0], "any other class")
    _draw_lines(axes, curve, original, goal)
    _mark_smallest(axes, curve)
    axes.set(xlabel=AXES[curve.norm], ylabel="probability in the changed picture", ylim=(-0.02, 1.02))
    axes.grid(alpha=0.3)
    legend = figure.legend(loc="outside lower center", ncols=2, fontsize=9, frameon=False)
    for text in legend.get_texts():
        text.set(parse_math=False, fontfamily=list(names.families))
    title = f"{FROM_LEFT}original: {original}, target: {goal}\n{_smallest(curve)}"
    figure.suptitle(title, fontsize=10, parse_math=False, fontfamily=list(names.families))
    canvas.draw()
    pixels = np.asarray(canvas.buffer_rgba())[..., :3].copy()
    return torch.from_numpy(pixels).permute(2, 0, 1).contiguous()


def _draw_lines(axes: Axes, curve: Curve, original: str, goal: str) -> None:
    budgets = [point.epsilon * _unit(curve.norm) for point in curve.points]
    fooled = [number for number, point in enumerate(curve.points) if point.success]
    for values, marker, colour, label in (
        ([point.original for point in curve.points], "o", "C0", f"probability of {original}"),
        ([point.goal for point in curve.points], "s", "C1", f"probability of {goal}"),
    ):
        axes.plot(budgets, values, f"{marker}-", color=colour, markerfacecolor="white", label=label)
        axes.plot([budgets[number] for number in fooled], [values[number] for number in fooled], marker, color=colour)
    widest = max(budgets) or 1.0
    axes.set_xlim(-0.02 * widest, 1.02 * widest)


def _mark_smallest(axes: Axes, curve: Curve) -> None:
    smallest = curve.smallest.get(curve.norm)
    if smallest is None or not smallest.success:
        return
    size = smallest.norms[curve.norm] * _unit(curve.norm)
    axes.axvline(size, color="grey", linestyle="--", label="smallest change found")
    axes.axvspan(size, axes.get_xlim()[1], color="grey", alpha=0.12, linewidth=0, label="the model is fooled")


def _smallest(curve: Curve) -> str:
    sizes = []
    for norm, result in curve.smallest.items():
        value = result.norms[norm] * _unit(norm)
        sizes.append(SIZE_FORMATS[norm].format(value) if result.success else f"{norm} not found")
    return "smallest change: " + (", ".join(sizes) or "not searched for")


def _unit(norm: str) -> int:
    return 255 if norm == "linf" else 1

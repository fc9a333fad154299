"""Plots of metrics. matplotlib is imported when the first one is drawn, so that commands start quickly."""

import io
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from training.metrics import Metrics, wilson
from training.report.making import ACCURACIES

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.legend import Legend
    from matplotlib.ticker import PercentFormatter

    from models.lettering import Lettering

DPI = 120
"""Pixels per inch of the plots."""
MAX_TICK_NAMES = 40
"""Largest number of classes whose names are at the axes of a confusion matrix."""
WITH_MARGIN = (-0.03, 1.03)
"""Limits of an axis of fractions on which markers at 0 % and 100 % are not cut off."""
MARKERS = "os^D"
"""Markers of several models in one plot, so that they can be told apart without colours."""


def _figure(width: float = 6.0, height: float = 4.0) -> tuple["Figure", "Axes"]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=DPI, layout="constrained")
    return figure, figure.add_subplot()


def _percent(decimals: int = 0) -> "PercentFormatter":
    from matplotlib.ticker import PercentFormatter

    return PercentFormatter(1.0, decimals=decimals)


def _png(figure: "Figure") -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return buffer.getvalue()


def curves(history: Sequence[Mapping[str, Any]]) -> bytes:
    """Training loss, and accuracy of each candidate on the validation split, by epoch."""
    figure, loss = _figure()
    epochs = [row["epoch"] for row in history]
    loss.plot(epochs, [row["loss"] for row in history], color="grey", marker=".", label="training loss")
    loss.set(xlabel="epoch", ylabel="training loss")
    loss.locator_params(axis="x", integer=True)
    right = loss.twinx()
    for key in (key for key in history[-1] if key.endswith(ACCURACIES)):
        style = "--" if key.endswith("balanced_accuracy") else "-"
        # A run that an older version has begun may lack metrics of its first epochs.
        values = [row.get(key, math.nan) for row in history]
        label = key.replace("balanced_accuracy", "balanced").replace("_", ", ", 1).replace("_", " ")
        right.plot(epochs, values, style, marker=".", label=label)
    right.set_ylabel("accuracy on the validation split")
    right.yaxis.set_major_formatter(_percent(decimals=1))
    figure.legend(loc="outside upper center", ncols=3, fontsize="small")
    return _png(figure)


def confusion(matrix: Sequence[Sequence[int]], classes: Sequence[str]) -> bytes:
    """The fraction of each true class (rows) that is classified as each class (columns).

    A class whose name no installed font can show is called `class N`, with its index N in `classes`.
    """
    size = max(4.0, min(12.0, 0.3 * len(classes)))
    names = _names(classes) if len(classes) <= MAX_TICK_NAMES else None
    longest = max((len(text) for text in names.texts), default=0) if names else 0
    room = max(0.0, 0.09 * (longest - 8))  # in inches: a letter takes 0.09, and eight of them fit without more room
    figure, axes = _figure(size + 1 + room, size + room)
    shares = [[count / max(1, sum(row)) for count in row] for row in matrix]
    image = axes.imshow(shares, vmin=0, vmax=1, cmap="Blues")
    axes.set(xlabel="predicted class", ylabel="true class")
    if names is not None:
        _name_ticks(axes, names)
    if len(classes) <= 10:
        for i, row in enumerate(matrix):
            for j, count in enumerate(row):
                axes.text(
                    j, i, f"{count:,}", ha="center", va="center", color="white" if shares[i][j] > 0.5 else "black"
                )
    figure.colorbar(image, format=_percent())
    return _png(figure)


def _names(classes: Sequence[str]) -> "Lettering":
    from models.lettering import lettered

    return lettered(classes)


def _name_ticks(axes: "Axes", names: "Lettering") -> None:
    # A `$` in a name does not start a formula.
    text_options: dict[str, Any] = {"fontfamily": list(names.families), "parse_math": False}
    axes.set_xticks(range(len(names.texts)), names.texts, rotation=90, **text_options)
    axes.set_yticks(range(len(names.texts)), names.texts, **text_options)
    if names.replaced:
        axes.set_ylabel("true class (for numbers see the table of the report)")


def reliability(bins: Sequence[Sequence[float]], ece: float) -> bytes:
    """Accuracy by confidence; a calibrated classifier lies on the diagonal. Bars show the share of photos per bin."""
    figure, axes = _figure(4.5, 4.5)
    filled = [row for row in bins if row[0]]
    axes.plot([0, 1], [0, 1], color="grey", linestyle="--", linewidth=1)
    axes.plot([row[1] for row in filled], [row[2] for row in filled], marker="o")
    total = sum(row[0] for row in bins)
    axes.bar(
        [(place + 0.5) / len(bins) for place in range(len(bins))],
        [row[0] / total for row in bins],
        width=0.9 / len(bins),
        alpha=0.25,
    )
    axes.set(
        xlabel="confidence", ylabel="accuracy; bars: share of photos", title=f"expected calibration error {ece:.2%}"
    )
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1)
    return _png(figure)


def rates(tried: Sequence[float], losses: Sequence[float], suggestion: float) -> bytes:
    """Loss by learning rate, and the suggested learning rate."""
    figure, axes = _figure()
    axes.plot(tried, losses)
    axes.axvline(suggestion, color="grey", linestyle="--", linewidth=1)
    axes.set(xscale="log", xlabel="learning rate of the backbone", ylabel="loss", title=f"suggested: {suggestion:.1e}")
    return _png(figure)


def robustness(curve: Mapping[str, Any]) -> bytes:
    """Accuracy by the budget of an attack, with 95 % intervals."""
    figure, axes = _figure()
    _draw_curves(axes, [curve])
    axes.set_title(f"attack {curve['attack']} on {curve['photos']} photos")
    return _png(figure)


def robustness_of_models(curves: Mapping[str, Mapping[str, Any]]) -> bytes:
    """Accuracy of several models, by their names, by the budget of the same attack, with 95 % intervals."""
    figure, axes = _figure(height=4.6)
    _draw_curves(axes, list(curves.values()))
    legend = figure.legend(loc="outside upper center")
    first = next(iter(curves.values()))
    options = "".join(f", {name} {value}" for name, value in first["options"].items())
    legend.set_title(f"attack {first['attack']}{options}, on {first['photos']} photos, with 95 % intervals")
    _name_models(legend, list(curves))
    return _png(figure)


def _draw_curves(axes: "Axes", curves: Sequence[Mapping[str, Any]]) -> None:
    """Accuracy by budget, of several curves slightly side by side, so that their intervals do not cover each other."""
    norm = curves[0]["norm"]
    scale = 255 if norm == "linf" else 1
    apart = 0.015 * scale * max(row["epsilon"] for row in curves[0]["curve"])
    for number, curve in enumerate(curves):
        rows = curve["curve"]
        levels = [row["epsilon"] * scale + apart * (number - (len(curves) - 1) / 2) for row in rows]
        below = [row["accuracy"] - row["interval"][0] for row in rows]
        above = [row["interval"][1] - row["accuracy"] for row in rows]
        accuracies = [row["accuracy"] for row in rows]
        axes.errorbar(levels, accuracies, yerr=[below, above], marker=MARKERS[number], capsize=3, label=str(number))
    unit = "levels of 255, Linf norm" if norm == "linf" else f"{norm.upper()} norm"
    axes.set(xlabel=f"budget ({unit})", ylabel="accuracy")
    axes.yaxis.set_major_formatter(_percent())
    axes.set_ylim(*WITH_MARGIN)


def reliability_of_models(metrics: Mapping[str, Metrics]) -> bytes:
    """Accuracy by confidence of several models, by their names, with 95 % intervals; below, how confident they are."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.0, 4.8), dpi=DPI, layout="constrained")
    axes, shares = figure.subplots(2, sharex=True, height_ratios=(3, 1))
    axes.plot([0, 1], [0, 1], color="grey", linestyle="--", linewidth=1)
    for number, model in enumerate(metrics.values()):
        filled = [row for row in model.reliability if row[0]]
        intervals = [wilson(round(row[0] * row[2]), row[0]) for row in filled]
        reach = [
            [row[2] - low for row, (low, _) in zip(filled, intervals, strict=True)],
            [high - row[2] for row, (_, high) in zip(filled, intervals, strict=True)],
        ]
        places = ([row[1] for row in filled], [row[2] for row in filled])
        axes.errorbar(*places, yerr=reach, marker=MARKERS[number], linewidth=1, elinewidth=0.7, label=str(number))
        width = 0.9 / len(model.reliability) / len(metrics)
        shares.bar(
            [(place + 0.05) / len(model.reliability) + width * number for place in range(len(model.reliability))],
            [row[0] / model.photos for row in model.reliability],
            width=width,
            align="edge",
        )
    axes.set(ylabel="accuracy", xlim=WITH_MARGIN, ylim=WITH_MARGIN)
    shares.set(xlabel="confidence", ylabel="share of\nphotos", ylim=(0, 1))
    for part in (axes, shares):
        part.yaxis.set_major_formatter(_percent())
    shares.xaxis.set_major_formatter(_percent())
    legend = figure.legend(loc="outside upper center", title="accuracy with 95 % intervals in bins of confidence")
    errors = [f"calibration error {model.ece:.2%}" for model in metrics.values()]
    _name_models(legend, list(metrics), errors)
    return _png(figure)


def _name_models(legend: "Legend", names: Sequence[str], additions: Sequence[str] = ()) -> None:
    """Replace the numbers in a legend by the names of the models, each with an addition in parentheses.

    A model whose name no installed font can show is called `model 1`, `model 2`, ...
    """
    lettering = _names(names)
    for number, text in enumerate(legend.get_texts()):
        name = f"model {number + 1}" if number in lettering.replaced else lettering.texts[number]
        text.set_text(f"{name} ({additions[number]})" if additions else name)
        text.set_fontfamily(list(lettering.families))
        text.set_parse_math(False)  # a `$` in a name does not start a formula

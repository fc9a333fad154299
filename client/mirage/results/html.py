"""How results look in a notebook: HTML with small pictures inside, and nothing that is loaded from elsewhere."""

import base64
from html import escape
from io import BytesIO
from typing import TYPE_CHECKING

from PIL import Image

if TYPE_CHECKING:
    from mirage.results.adversarial import AdversarialResult
    from mirage.results.classification import Classification
    from mirage.results.shared import Prediction

SIDE = 320
"""Largest side of a picture in pixels. The full pictures stay in the result; in a notebook they would be megabytes."""
ROW = '<tr><td style="text-align:left">{}</td><td style="text-align:left">{}</td><td>{:.1f} %</td></tr>'
BAR = '<div style="width:{:.0f}px;height:0.8em;background:#4c9bb0"></div>'
BAR_PIXELS = 160
"""Width of the bar of a probability of 1."""


def classification(result: "Classification") -> str:
    """The classes with their probabilities as bars."""
    return f"<div>{escape(result.model)}, {result.width} &times; {result.height}</div>{bars(result.predictions)}"


def bars(predictions: "tuple[Prediction, ...]") -> str:
    """A table with one row per class: its name, a bar, its probability in percent."""
    rows = [
        ROW.format(escape(item.label), BAR.format(BAR_PIXELS * item.probability), 100 * item.probability)
        for item in predictions
    ]
    return f"<table>{''.join(rows)}</table>"


def adversarial(result: "AdversarialResult") -> str:
    """The picture before and after, and the change between them, each with what the model says."""
    before, after = (
        f"{escape(item.label)} {100 * item.probability:.1f} %" for item in (result.original, result.adversarial)
    )
    panels = [
        *([] if result.before is None else [figure(result.before, "before", before)]),
        figure(result.perturbation, "change, amplified", f"{100 * result.perception.unchanged:.1f} % unchanged"),
        figure(result.image, "after", after),
    ]
    success = "" if result.success else ", <b>not fooled as asked</b>"
    said = f"{escape(result.model)}, {escape(result.attack)}, L2 {result.norms.l2:.3g}, Linf {result.norms.linf:.3g}"
    return f'<div style="display:flex;gap:1em">{"".join(panels)}</div><div>{said}{success}</div>'


def pictures(title: str, *images: Image.Image | None) -> str:
    """Pictures side by side under a title."""
    panels = "".join(figure(image, "", "") for image in images if image is not None)
    return f'<div>{escape(title)}</div><div style="display:flex;gap:1em">{panels}</div>'


def figure(image: Image.Image, title: str, caption: str) -> str:
    """One picture with a title and a caption, which must be HTML already."""
    return (
        f'<figure style="margin:0"><div>{title}</div><img src="{_data_url(image)}" style="max-width:100%">'
        f"<figcaption>{caption}</figcaption></figure>"
    )


def _data_url(image: Image.Image) -> str:
    small = image if image.mode in ("1", "L", "LA", "P", "RGB", "RGBA") else image.convert("RGB")
    small = small.copy()
    small.thumbnail((SIDE, SIDE))
    buffer = BytesIO()
    small.save(buffer, "PNG")
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")

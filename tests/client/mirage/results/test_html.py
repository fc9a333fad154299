"""Results in notebooks: what comes from the service or the user cannot become HTML."""

import re

from PIL import Image

from mirage.results import html
from mirage.results.classification import Classification
from mirage.results.shared import Prediction


def test_names_are_text_and_no_html() -> None:
    nasty = '<img src=x onerror="alert(1)">'
    result = Classification(nasty, "v", 8, 6, (Prediction(nasty, 0, 0.25),))
    shown = result._repr_html_()
    assert "<img" not in shown and shown.count("&lt;img src=x") == 2
    assert "25.0 %" in shown and "width:40px" in shown, "a quarter of the bar's 160 pixels"


def test_pictures_are_small_and_inside() -> None:
    """A large picture is reduced; the one in the result stays as it is."""
    large = Image.new("RGB", (3000, 1500))
    shown = html.pictures("<title>", large)
    assert re.findall('src="([^,"]*)', shown) == ["data:image/png;base64"] and len(shown) < 3000
    assert large.size == (3000, 1500) and "&lt;title&gt;" in shown

"""Helpers to request ideal pictures and to read the pictures in JSON responses."""

import base64
import io
from typing import Any

from PIL import Image

from tests.app.live_service import Live

FAST = {"steps": 4, "crops": 2}
"""Options for a quick drawing."""
PASSES = {"forward": 51, "backward": 8}
"""Passes of the network for FAST: four steps of two crops, and 43 forward passes for the score."""


def get_json(live: Live, path: str, **params: object) -> dict[str, Any]:
    """Send a request with FAST and these options, which must succeed, and return the JSON response."""
    response = live.client.get(path, params={**FAST, "format": "json", **params})
    assert response.status_code == 200, response.text
    return dict(response.json())


def picture_of(url: str) -> Image.Image:
    """Return the picture of a data URL."""
    head, _, data = url.partition(",")
    assert head == "data:image/png;base64"
    return Image.open(io.BytesIO(base64.b64decode(data)))

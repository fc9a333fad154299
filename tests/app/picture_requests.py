"""Requests with a picture, and the pictures in their JSON responses, for tests of the endpoints."""

import base64
from typing import Any

import httpx
import torch

from models.pictures import decode
from tests.app.live_service import Live


def post(live: Live, path: str, picture: bytes, **fields: object) -> httpx.Response:
    """Send a form with the picture and the other fields, and return the response."""
    data = {name: str(value) for name, value in fields.items()}
    return live.client.post(path, files={"image": picture}, data=data)


def post_for_json(live: Live, path: str, picture: bytes, **fields: object) -> dict[str, Any]:
    """Send such a form, which must succeed, and return the JSON response."""
    response = post(live, path, picture, **{"format": "json", **fields})
    assert response.status_code == 200, response.text
    return dict(response.json())


def fool(live: Live, picture: bytes, **fields: object) -> dict[str, Any]:
    """Send the picture to POST /adversarial, which must succeed, and return the JSON response."""
    return post_for_json(live, "/adversarial", picture, **fields)


def classify(live: Live, picture: bytes, model: str = "") -> list[dict[str, Any]]:
    """Return the predictions of POST /classify, most probable class first."""
    response = live.client.post("/classify", files={"image": picture}, params={"model": model} if model else {})
    predictions: list[dict[str, Any]] = response.json()["predictions"]
    return predictions


def pixels(url: str) -> torch.Tensor:
    """Decode the picture of a data URL to uint8 [3, h, w]."""
    return decode(base64.b64decode(url.partition(",")[2]))

"""Tests responding with an outcome as a picture file and as JSON."""

import io
import json
from typing import Any, ClassVar

import pytest
import torch
from PIL import Image

from app.web.formats import Format
from app.web.outcomes import Outcome, picture_headers, respond
from app.web.schemas import PictureResult, PictureUrl, data_url
from models.pictures import decode

WHITE = torch.full((3, 2, 4), 255, dtype=torch.uint8)


class Body(PictureResult):
    """The response of an endpoint of this test."""

    not_in_text: ClassVar[frozenset[str]] = frozenset({"image", "second"})
    label: str
    value: float | None
    image: PictureUrl
    second: PictureUrl | None


def outcome(draws: list[str] | None = None, **headers: str) -> Outcome:
    """Return an outcome that appends the names of the pictures it draws to `draws`."""

    def draw(name: str, picture: torch.Tensor) -> torch.Tensor:
        (draws if draws is not None else []).append(name)
        return picture

    body = Body(
        label="Kätzchen", value=None, image=lambda: draw("image", WHITE), second=lambda: draw("second", WHITE // 5)
    )
    return Outcome(body, body.image, headers)


def test_json_has_all_values_and_pictures() -> None:
    draws: list[str] = []
    response = respond(outcome(draws), Format.json)
    body = json.loads(bytes(response.body))
    expected = {"label": "Kätzchen", "value": None, "image": data_url(WHITE), "second": data_url(WHITE // 5)}
    assert body == expected and list(body) == list(expected)
    assert draws == ["image", "second"]
    assert (response.headers["Content-Type"], response.headers["Vary"]) == ("application/json", "Accept")


def test_a_png_has_the_values_in_a_text_chunk() -> None:
    """Other pictures of the outcome are not drawn."""
    draws: list[str] = []
    response = respond(outcome(draws), Format.png)
    image: Any = Image.open(io.BytesIO(bytes(response.body)))
    assert image.text["Software"] == "Mirage"
    assert json.loads(image.text["mirage"]) == {"label": "Kätzchen", "value": None}
    assert torch.equal(decode(bytes(response.body)), WHITE)
    assert draws == ["image"]


def test_headers_are_percent_encoded_and_known_to_cors() -> None:
    assert picture_headers(outcome(Label="Kätzchen, 2/3")) == {"X-Mirage-Label": "K%C3%A4tzchen, 2/3"}
    with pytest.raises(AssertionError, match=r"add \{'Unknown'\} to HEADERS in app\.web\.outcomes"):
        picture_headers(outcome(Unknown="x"))

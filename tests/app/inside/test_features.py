"""POST /features over HTTP."""

import base64
import io

import pytest
from PIL import Image

from tests.app.live_service import Live
from tests.app.looks import post, told


def test_a_sheet_and_its_figures(live: Live, picture: bytes) -> None:
    answer = post(live, "/features", picture, layer="features.3")
    assert answer.headers["Content-Type"] == "image/png"
    assert (answer.headers["X-Mirage-Layer"], answer.headers["X-Mirage-Model"]) == ("features.3", "tiny")
    sheet = Image.open(io.BytesIO(answer.content))
    found = told(live, "/features", picture, layer="features.3")
    (url,) = [found["image"]]
    assert Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2]))).tobytes() == sheet.tobytes()
    assert found["layer"] == {
        "name": "features.3", "kind": "InvertedResidual", "channels": 24, "height": 8, "width": 8, "decides": True
    }  # fmt: skip
    strengths = [each["strength"] for each in found["channels"]]
    assert len(strengths) == 24 and strengths == sorted(strengths, reverse=True)
    assert found["shown"] == [each["channel"] for each in found["channels"][:16]]
    assert found["passes"] == {"forward": 1, "backward": 0}
    said = live.client.post("/classify", files={"image": picture}).json()["predictions"][0]
    assert found["prediction"] == pytest.approx(said, abs=1e-5)


def test_channels_by_number_or_by_how_many(live: Live, picture: bytes) -> None:
    assert len(told(live, "/features", picture, layer="features.3", channels=5)["shown"]) == 5
    assert told(live, "/features", picture, layer="features.3", channels="7, 3")["shown"] == [7, 3]
    assert told(live, "/features", picture, layer="features.3", channels="7,")["shown"] == [7]


@pytest.mark.parametrize("format", ["webp", "jpeg", "events"])
def test_formats(live: Live, picture: bytes, format: str) -> None:
    kind = "text/event-stream" if format == "events" else f"image/{format}"
    assert (
        post(live, "/features", picture, layer="classifier.3", format=format).headers["Content-Type"].split(";")[0]
        == kind
    )


def test_every_listed_layer_can_be_shown(live: Live, picture: bytes) -> None:
    layers = live.client.get("/models/tiny").json()["layers"]
    assert len(layers) > 50
    for layer in layers[::9]:
        found = told(live, "/features", picture, layer=layer["name"], channels=1)
        assert len(found["channels"]) == layer["channels"]


@pytest.mark.parametrize(
    ("fields", "status", "detail"),
    [
        ({}, 422, "layer: "),
        ({"layer": "features.33"}, 404, "near are: features.3"),
        ({"layer": "x" * 400}, 422, "layer: "),
        ({"layer": "features.3", "channels": "24,"}, 404, "0 to 23"),
        ({"layer": "features.3", "channels": "0"}, 422, "1 to 100"),
        ({"layer": "features.3", "channels": "101"}, 422, "1 to 100"),
        ({"layer": "features.3", "channels": "1," * 101}, 422, "1 to 100"),
        ({"layer": "features.3", "channels": "-1"}, 422, "numbers with commas"),
        ({"layer": "features.3", "channels": "many"}, 422, "numbers with commas"),
        ({"layer": "features.3", "channels": ","}, 422, "numbers with commas"),
        ({"layer": "features.3", "format": "film"}, 422, "format: "),
        ({"layer": "features.3", "model": "other"}, 404, "near are: tiny"),
        ({"layer": "features.3", "layers": "x"}, 422, "layers: "),
    ],
)
def test_what_cannot_be_answered(
    live: Live, picture: bytes, fields: dict[str, object], status: int, detail: str
) -> None:
    answer = post(live, "/features", picture, **fields)
    assert (answer.status_code, answer.headers["Content-Type"]) == (status, "application/problem+json")
    assert detail in answer.json()["detail"]


def test_no_picture(live: Live) -> None:
    assert post(live, "/features", b"no picture", layer="features.3").status_code == 415
    assert live.client.post("/features", data={"layer": "features.3"}).status_code == 422

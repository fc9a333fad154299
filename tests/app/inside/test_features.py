"""Tests POST /features over HTTP."""

import base64
import io

import pytest
from PIL import Image

from tests.app.events import events
from tests.app.live_service import Live
from tests.app.picture_requests import classify, pixels, post, post_for_json


def test_the_sheet_and_its_json_values(live: Live, picture: bytes) -> None:
    response = post(live, "/features", picture, layer="features.3")
    assert response.headers["Content-Type"] == "image/png"
    assert (response.headers["X-Mirage-Layer"], response.headers["X-Mirage-Model"]) == ("features.3", "tiny")
    sheet = Image.open(io.BytesIO(response.content))
    result = post_for_json(live, "/features", picture, layer="features.3")
    (url,) = [result["image"]]
    assert Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2]))).tobytes() == sheet.tobytes()
    assert result["layer"] == {
        "name": "features.3", "kind": "InvertedResidual", "channels": 24, "height": 8, "width": 8, "decides": True
    }  # fmt: skip
    strengths = [channel["strength"] for channel in result["channels"]]
    assert len(strengths) == 24 and strengths == sorted(strengths, reverse=True)
    assert result["shown"] == [channel["channel"] for channel in result["channels"][:16]]
    assert result["passes"] == {"forward": 1, "backward": 0}
    prediction = classify(live, picture)[0]
    assert result["prediction"] == pytest.approx(prediction, abs=1e-5)


def test_channels_are_chosen_by_number_or_as_a_list(live: Live, picture: bytes) -> None:
    assert len(post_for_json(live, "/features", picture, layer="features.3", channels=5)["shown"]) == 5
    assert post_for_json(live, "/features", picture, layer="features.3", channels="7, 3")["shown"] == [7, 3]
    assert post_for_json(live, "/features", picture, layer="features.3", channels="7,")["shown"] == [7]


def test_separate_maps_are_pictures_of_their_own(live: Live, picture: bytes) -> None:
    """In the order of `shown`, of the layer's 8 x 8 values, each from viridis' darkest colour to its brightest."""
    options = {"layer": "features.3", "channels": "7,3,11"}
    together = post_for_json(live, "/features", picture, **options)
    assert together["maps"] is None and together["image"].startswith("data:image/png")
    result = post_for_json(live, "/features", picture, **options, separate="true")
    assert result["image"] is None
    assert [entry["channel"] for entry in result["maps"]] == result["shown"] == [7, 3, 11]
    for entry in result["maps"]:
        drawn = pixels(entry["image"])
        assert drawn.shape == (3, 8, 8)
        colours = {tuple(colour) for colour in drawn.flatten(1).T.tolist()}
        assert {(68, 1, 84), (253, 231, 36)} <= colours
    same = ("layer", "prediction", "shown", "channels", "passes")
    assert {name: result[name] for name in same} == {name: together[name] for name in same}
    ((name, event),) = events(
        post(live, "/features", picture, **options, separate="true", format="events").iter_lines()
    )
    assert name == "result" and event["maps"] == result["maps"] and event["image"] is None


@pytest.mark.parametrize("format", ["png", "webp", "jpeg", None])
def test_separate_maps_do_not_fit_into_one_picture(live: Live, picture: bytes, format: str | None) -> None:
    """Without a format the client gets a PNG."""
    fields = {"layer": "features.3", "separate": "true"} | ({} if format is None else {"format": format})
    response = post(live, "/features", picture, **fields)
    assert (response.status_code, response.headers["Content-Type"]) == (422, "application/problem+json")
    assert f"a {format or 'png'} response is a single picture" in response.json()["detail"]
    assert "choose format=json or format=events" in response.json()["detail"]


@pytest.mark.parametrize("format", ["webp", "jpeg", "events"])
def test_every_format_has_its_content_type(live: Live, picture: bytes, format: str) -> None:
    kind = "text/event-stream" if format == "events" else f"image/{format}"
    assert (
        post(live, "/features", picture, layer="classifier.3", format=format).headers["Content-Type"].split(";")[0]
        == kind
    )


def test_every_listed_layer_can_be_shown(live: Live, picture: bytes) -> None:
    layers = live.client.get("/models/tiny").json()["layers"]
    assert len(layers) > 50
    for layer in layers[::9]:
        result = post_for_json(live, "/features", picture, layer=layer["name"], channels=1)
        assert len(result["channels"]) == layer["channels"]


@pytest.mark.parametrize(
    ("fields", "status", "detail"),
    [
        ({}, 422, "layer: "),
        ({"layer": "features.33"}, 404, "similar names: features.3"),
        ({"layer": "x" * 400}, 422, "layer: "),
        ({"layer": "features.3", "channels": "24,"}, 404, "0 to 23"),
        ({"layer": "features.3", "channels": "0"}, 422, "1 to 100"),
        ({"layer": "features.3", "channels": "101"}, 422, "1 to 100"),
        ({"layer": "features.3", "channels": "1," * 101}, 422, "1 to 100"),
        ({"layer": "features.3", "channels": "-1"}, 422, "separated by commas"),
        ({"layer": "features.3", "channels": "many"}, 422, "separated by commas"),
        ({"layer": "features.3", "channels": ","}, 422, "separated by commas"),
        ({"layer": "features.3", "format": "film"}, 422, "format: "),
        ({"layer": "features.3", "model": "other"}, 404, "similar names: tiny"),
        ({"layer": "features.3", "layers": "x"}, 422, "layers: "),
    ],
)
def test_bad_requests_are_refused(
    live: Live, picture: bytes, fields: dict[str, object], status: int, detail: str
) -> None:
    response = post(live, "/features", picture, **fields)
    assert (response.status_code, response.headers["Content-Type"]) == (status, "application/problem+json")
    assert detail in response.json()["detail"]


def test_a_missing_or_invalid_picture_is_refused(live: Live) -> None:
    assert post(live, "/features", b"no picture", layer="features.3").status_code == 415
    assert live.client.post("/features", data={"layer": "features.3"}).status_code == 422

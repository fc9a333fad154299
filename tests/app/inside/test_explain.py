"""Tests POST /explain over HTTP."""

import io

import pytest
from PIL import Image

from tests.app.live_service import Live
from tests.app.picture_requests import classify, post, post_for_json


def test_the_overlay_has_the_size_of_the_upload(live: Live, picture: bytes) -> None:
    response = post(live, "/explain", picture)
    assert response.headers["Content-Type"] == "image/png"
    assert Image.open(io.BytesIO(response.content)).size == Image.open(io.BytesIO(picture)).size == (128, 96)
    prediction = classify(live, picture)[0]
    assert response.headers["X-Mirage-Label"] == prediction["label"]


@pytest.mark.parametrize(
    ("method", "passes"),
    [
        ("grad_cam", {"forward": 2, "backward": 1}),
        ("smooth_grad", {"forward": 25, "backward": 24}),
        ("integrated_gradients", {"forward": 34, "backward": 32}),
    ],
)
def test_every_method_reports_its_passes(live: Live, picture: bytes, method: str, passes: dict[str, int]) -> None:
    result = post_for_json(live, "/explain", picture, method=method)
    assert (result["method"], result["passes"]) == (method, passes)
    assert result["heat_map"].startswith("data:image/png;base64,")
    assert (result["layer"] is None) == (method != "grad_cam")
    assert (result["missing"] is None) == (method != "integrated_gradients")


def test_the_target_class_can_be_chosen(live: Live, picture: bytes) -> None:
    """Its probability is that of /classify; an empty target means the top-1 class."""
    predictions = {prediction["label"]: prediction for prediction in classify(live, picture)}
    for name, label in (("sea lion", "sea_lion"), ("1", "dog")):
        result = post_for_json(live, "/explain", picture, target=name)
        assert result["target"] == pytest.approx(predictions[label], abs=1e-5)
    assert (
        post_for_json(live, "/explain", picture, target="", layer="", samples="")["target"]
        == post_for_json(live, "/explain", picture)["top"]
    )


def test_options_of_a_method_are_used_and_reported(live: Live, picture: bytes) -> None:
    result = post_for_json(live, "/explain", picture, method="smooth_grad", samples=3, noise=0.3, seed=5)
    assert result["options"] == {"samples": 3, "noise": 0.3, "seed": 5}
    result = post_for_json(live, "/explain", picture, layer="features.3")
    assert result["layer"] == "features.3"


@pytest.mark.parametrize(
    ("fields", "status", "detail"),
    [
        ({"method": "magic"}, 422, "choose one of grad_cam"),
        ({"target": "dig"}, 404, "similar names: dog"),
        ({"layer": "features.33"}, 404, "similar names: features.3"),
        ({"layer": "classifier.3"}, 422, "one pixel"),
        ({"samples": 3}, 422, "grad_cam takes no samples"),
        ({"method": "smooth_grad", "layer": "features.3"}, 422, "smooth_grad takes no layer"),
        ({"method": "smooth_grad", "samples": 10_000}, 422, "samples: "),
        ({"method": "smooth_grad", "noise": "nan"}, 422, "noise: "),
        ({"method": "integrated_gradients", "steps": 1}, 422, "steps: "),
        ({"sample": 3}, 422, "sample: "),
        ({"format": "gif"}, 422, "format: "),
        ({"model": "other"}, 404, "similar names: tiny"),
    ],
)
def test_bad_requests_are_refused(
    live: Live, picture: bytes, fields: dict[str, object], status: int, detail: str
) -> None:
    response = post(live, "/explain", picture, **fields)
    assert (response.status_code, response.headers["Content-Type"]) == (status, "application/problem+json")
    assert detail in response.json()["detail"]


def test_a_file_that_is_no_picture_is_refused(live: Live) -> None:
    assert post(live, "/explain", b"no picture").status_code == 415

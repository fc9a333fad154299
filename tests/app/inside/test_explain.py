"""POST /explain over HTTP."""

import io

import pytest
from PIL import Image

from tests.app.live_service import Live
from tests.app.looks import post, told


def test_an_overlay_of_the_uploads_size(live: Live, picture: bytes) -> None:
    answer = post(live, "/explain", picture)
    assert answer.headers["Content-Type"] == "image/png"
    assert Image.open(io.BytesIO(answer.content)).size == Image.open(io.BytesIO(picture)).size == (128, 96)
    said = live.client.post("/classify", files={"image": picture}).json()["predictions"][0]
    assert answer.headers["X-Mirage-Label"] == said["label"]


@pytest.mark.parametrize(
    ("method", "passes"),
    [
        ("grad_cam", {"forward": 2, "backward": 1}),
        ("smooth_grad", {"forward": 25, "backward": 24}),
        ("integrated_gradients", {"forward": 34, "backward": 32}),
    ],
)
def test_methods(live: Live, picture: bytes, method: str, passes: dict[str, int]) -> None:
    found = told(live, "/explain", picture, method=method)
    assert (found["method"], found["passes"]) == (method, passes)
    assert found["heat_map"].startswith("data:image/png;base64,")
    assert (found["layer"] is None) == (method != "grad_cam")
    assert (found["missing"] is None) == (method != "integrated_gradients")


def test_a_class_of_ones_choice(live: Live, picture: bytes) -> None:
    """Its probability is what /classify says; empty means what the model sees."""
    said = {
        each["label"]: each for each in live.client.post("/classify", files={"image": picture}).json()["predictions"]
    }
    for name, label in (("sea lion", "sea_lion"), ("1", "dog")):
        found = told(live, "/explain", picture, target=name)
        assert found["target"] == pytest.approx(said[label], abs=1e-5)
    assert (
        told(live, "/explain", picture, target="", layer="", samples="")["target"]
        == told(live, "/explain", picture)["top"]
    )


def test_options_of_a_method(live: Live, picture: bytes) -> None:
    found = told(live, "/explain", picture, method="smooth_grad", samples=3, noise=0.3, seed=5)
    assert found["options"] == {"samples": 3, "noise": 0.3, "seed": 5}
    found = told(live, "/explain", picture, layer="features.3")
    assert found["layer"] == "features.3"


@pytest.mark.parametrize(
    ("fields", "status", "detail"),
    [
        ({"method": "magic"}, 422, "choose one of grad_cam"),
        ({"target": "dig"}, 404, "near are: dog"),
        ({"layer": "features.33"}, 404, "near are: features.3"),
        ({"layer": "classifier.3"}, 422, "one pixel"),
        ({"samples": 3}, 422, "grad_cam takes no samples"),
        ({"method": "smooth_grad", "layer": "features.3"}, 422, "smooth_grad takes no layer"),
        ({"method": "smooth_grad", "samples": 10_000}, 422, "samples: "),
        ({"method": "smooth_grad", "noise": "nan"}, 422, "noise: "),
        ({"method": "integrated_gradients", "steps": 1}, 422, "steps: "),
        ({"sample": 3}, 422, "sample: "),
        ({"format": "gif"}, 422, "format: "),
        ({"model": "other"}, 404, "near are: tiny"),
    ],
)
def test_what_cannot_be_answered(
    live: Live, picture: bytes, fields: dict[str, object], status: int, detail: str
) -> None:
    answer = post(live, "/explain", picture, **fields)
    assert (answer.status_code, answer.headers["Content-Type"]) == (status, "application/problem+json")
    assert detail in answer.json()["detail"]


def test_no_picture(live: Live) -> None:
    assert post(live, "/explain", b"no picture").status_code == 415

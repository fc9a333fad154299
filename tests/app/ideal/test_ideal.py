"""Tests GET /ideal/{class} and GET /ideal over HTTP: formats, options and reported values."""

import io
import json

import pytest
from PIL import Image

from tests.app.events import events
from tests.app.ideal.ideal_requests import FAST, PASSES, get_json, picture_of
from tests.app.live_service import Live


def test_a_png_has_its_values_in_headers_and_in_a_text_chunk(live: Live) -> None:
    """They agree with the response of /classify for the returned picture."""
    response = live.client.get("/ideal/dog", params=FAST)
    assert response.headers["Content-Type"] == "image/png"
    image = Image.open(io.BytesIO(response.content))
    assert image.size == (64, 64)
    figures = json.loads(image.text["mirage"])
    assert (figures["label"], figures["index"]) == ("dog", 1) == (response.headers["X-Mirage-Label"], 1)
    assert figures["passes"] == PASSES
    ranked = live.client.post("/classify", files={"image": response.content}).json()["predictions"]
    assert [prediction["label"] for prediction in ranked].index("dog") + 1 == figures["score"]["rank"]
    probability = {prediction["label"]: prediction["probability"] for prediction in ranked}["dog"]
    assert figures["score"]["probability"] == pytest.approx(probability, abs=1e-4)
    assert float(response.headers["X-Mirage-Probability"]) == pytest.approx(probability, abs=1e-3)
    assert float(response.headers["X-Mirage-Robust"]) == pytest.approx(figures["score"]["robust"], abs=1e-3)
    assert "seconds" not in figures, "they would make every file different"


def test_json_has_the_same_picture_and_the_full_score(live: Live) -> None:
    png = live.client.get("/ideal/dog", params=FAST).content
    result = get_json(live, "/ideal/dog")
    assert picture_of(result["image"]).tobytes() == Image.open(io.BytesIO(png)).tobytes()
    assert result["options"] == {
        "method": "fourier", "effort": "standard", "objective": "logit", "steps": 4, "crops": 2, "batch": 4,
        "noise": 0.2, "noise_rise": 0.65, "patience": 0, "sure": 0.95, "tv": 20.0, "final_rate": 0.12, "decay": 1.4,
        "learning_rate": 0.1, "momentum": 0.7, "seed": 0, "count": 1, "size": 64,
    }  # fmt: skip
    score = result["score"]
    assert set(score["families"]) == {"crops", "shifts", "blur", "jpeg", "noise", "half"}
    assert score["robust"] == pytest.approx(sum(score["families"].values()) / 6)
    held_out = [value for name, value in score["families"].items() if name in ("blur", "jpeg", "half")]
    assert score["held_out"] == pytest.approx(sum(held_out) / 3)
    assert score["families"][score["weakest"]] == min(score["families"].values())
    assert score["activation"] is None and score["transfer"] is None
    assert result["pictures"] == [{"seed": 0, "steps": 4, "score": score, "reason": result["reason"], "image": None}]


def test_several_pictures_are_returned_singly_and_as_a_sheet(live: Live) -> None:
    """Three pictures of seeds 5 to 7 agree with those drawn alone; the sheet has two rows of two places."""
    result = get_json(live, "/ideal/cat", seed=5, count=3)
    assert [entry["seed"] for entry in result["pictures"]] == [5, 6, 7]
    pictures = [picture_of(entry["image"]) for entry in result["pictures"]]
    sheet = picture_of(result["image"])
    assert sheet.size == (132, 132)
    corners = [(0, 0), (68, 0), (0, 68)]
    for picture, (left, top) in zip(pictures, corners, strict=True):
        assert sheet.crop((left, top, left + 64, top + 64)).tobytes() == picture.tobytes()
    assert sheet.getpixel((100, 100)) == (255, 255, 255)
    alone = get_json(live, "/ideal/cat", seed=6)
    assert alone["score"]["probability"] == pytest.approx(result["pictures"][1]["score"]["probability"], abs=0.05)
    assert result["passes"] == {name: 3 * value for name, value in PASSES.items()}


def test_seed_and_size_change_the_picture(live: Live) -> None:
    def pixels(**options: object) -> bytes:
        content = live.client.get("/ideal/0", params={**FAST, **options}).content
        return Image.open(io.BytesIO(content)).tobytes()

    assert pixels(seed=1) != pixels(seed=2)
    assert len(pixels(size=100)) == 100 * 100 * 3


@pytest.mark.parametrize("method", ["fourier", "pixel", "maco"])
def test_every_method_draws_a_picture(live: Live, method: str) -> None:
    result = get_json(live, "/ideal/cat", method=method)
    assert result["options"]["method"] == method and result["passes"] == PASSES


def test_a_channel_of_a_layer_is_drawn(live: Live) -> None:
    """The layer is named as in GET /models; the score has an activation instead of a probability and a rank."""
    detail = live.client.get("/models/tiny").json()
    layer = next(entry for entry in detail["layers"] if entry["name"] == "features.3")
    assert layer["channels"] == 24 and layer["height"] == layer["width"] == 8
    result = get_json(live, "/ideal", layer="features.3", channel=7, steps=8)
    assert (result["label"], result["layer"], result["channel"], result["index"]) == (
        "features.3:7",
        "features.3",
        7,
        None,
    )
    score = result["score"]
    assert score["probability"] is None and score["rank"] is None and isinstance(score["activation"], float)
    assert "objective" not in result["options"]
    response = live.client.get("/ideal", params={**FAST, "layer": "features.3", "channel": 7})
    assert response.headers["Content-Type"] == "image/png" and "X-Mirage-Activation" in response.headers


def test_the_plain_recipe_can_draw_a_channel(live: Live) -> None:
    plain = {"method": "pixel", "crops": 0, "clamp": "false", "steps": 2}
    result = get_json(live, "/ideal", layer="features.3", channel=7, **plain)
    assert result["pictures"][0]["steps"] == 2 and "objective" not in result["options"]


@pytest.mark.parametrize("format", ["jpeg", "webp", "png", "json", "events", "film", "gif"])
def test_the_option_format_takes_precedence_over_accept(live: Live, format: str) -> None:
    response = live.client.get("/ideal/cat", params={**FAST, "format": format}, headers={"Accept": "image/png"})
    expected = {"json": "application/json", "events": "text/event-stream", "film": "image/webp"}
    assert response.headers["Content-Type"].split(";")[0] == expected.get(format, f"image/{format}")


@pytest.mark.parametrize("format", ["film", "gif"])
def test_a_film_shows_every_step_and_ends_with_the_picture(live: Live, format: str) -> None:
    """It has five steps and the picture, which is shown for longer. Accept: image/gif gives a film as well."""
    params = {"steps": 5, "crops": 2, "batch": 1, "noise": 0.1}
    film = Image.open(io.BytesIO(live.client.get("/ideal/cat", params={**params, "format": format}).content))
    assert film.n_frames == 6 and film.size == (64, 64)
    frames = []
    for number in range(6):
        film.seek(number)
        frames.append(film.convert("RGB"))
    still = Image.open(io.BytesIO(live.client.get("/ideal/cat", params=params).content))
    difference = sum(abs(a - b) for a, b in zip(frames[-1].tobytes(), still.tobytes(), strict=True)) / (64 * 64 * 3)
    assert difference < 12, "the format is lossy or has few colours"
    assert len({frame.tobytes() for frame in frames}) == 6
    assert film.info["duration"] == 2000
    accepted = live.client.get("/ideal/cat", params=params, headers={"Accept": "image/gif"})
    assert accepted.headers["Content-Type"] == "image/gif"


def test_events_report_every_step_and_then_the_result(live: Live) -> None:
    params = {**FAST, "batch": 1, "previews": "true", "seed": 77}
    with live.client.stream("GET", "/ideal/cat", params=params, headers={"Accept": "text/event-stream"}) as response:
        received = list(events(response.iter_lines()))
    assert [name for name, _ in received] == ["progress"] * 4 + ["result"]
    assert [(data["step"], data["steps"]) for name, data in received[:4]] == [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert all(0 <= data["score"] <= 1 for _, data in received[:4])
    assert all(received[step][1]["preview"].startswith("data:image/jpeg") for step in (0, 3))
    assert received[4][1]["label"] == "cat"


def test_empty_options_are_defaults(live: Live) -> None:
    """A form sends empty texts for fields that were left blank."""
    address = "/ideal/cat?model=&method=fourier&steps=2&crops=1&tv=&seed=0&size=&judge=&decay=&format="
    result = live.client.get(address, headers={"Accept": "application/json"}).json()
    assert (result["options"]["tv"], result["options"]["decay"], result["options"]["size"]) == (20.0, 1.4, 64)


def test_classes_are_found_in_any_spelling(live: Live) -> None:
    for name, label in (("DOG", "dog"), ("siamese-cat", "Siamese cat"), ("sea lion", "sea_lion"), ("0", "cat")):
        assert get_json(live, f"/ideal/{name}", steps=1, crops=1)["label"] == label

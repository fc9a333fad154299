"""GET /ideal/{class} over HTTP, in its three representations."""

import base64
import io
import json

import httpx
import pytest
from PIL import Image

from tests.app.conftest import Live, eventually
from tests.app.events import events

FAST = {"steps": 4, "crops": 2}


def test_the_picture_carries_its_figures(live: Live) -> None:
    """As headers and in the PNG's text chunk; they are what the service says when the picture is posted again."""
    answer = live.client.get("/ideal/dog", params=FAST)
    assert answer.headers["Content-Type"] == "image/png"
    image = Image.open(io.BytesIO(answer.content))
    assert image.size == (64, 64)
    figures = json.loads(image.text["mirage"])
    assert (figures["label"], figures["index"]) == ("dog", 1) == (answer.headers["X-Mirage-Label"], 1)
    assert figures["passes"] == {"forward": 9, "backward": 8}
    told = live.client.post("/classify", files={"image": answer.content}).json()["predictions"]
    ranked = [each["label"] for each in told]
    assert ranked.index("dog") + 1 == figures["score"]["rank"]
    said = {each["label"]: each["probability"] for each in told}["dog"]
    assert figures["score"]["probability"] == pytest.approx(said, abs=1e-4)
    assert float(answer.headers["X-Mirage-Probability"]) == pytest.approx(said, abs=1e-3)


def test_json_holds_the_same_picture(live: Live) -> None:
    png = live.client.get("/ideal/dog", params=FAST).content
    told = live.client.get("/ideal/dog", params=FAST, headers={"Accept": "application/json"}).json()
    head, _, data = told["image"].partition(",")
    assert head == "data:image/png;base64"
    first, second = (Image.open(io.BytesIO(each)).tobytes() for each in (png, base64.b64decode(data)))
    assert first == second
    assert told["options"] == {"method": "fourier", "steps": 4, "crops": 2, "tv": 20.0, "seed": 0, "size": 64}


def test_seed_and_size(live: Live) -> None:
    def pixels(**options: object) -> bytes:
        content = live.client.get("/ideal/0", params={**FAST, **options}).content
        return Image.open(io.BytesIO(content)).tobytes()

    assert pixels(seed=1) == pixels(seed=1) != pixels(seed=2)
    assert len(pixels(size=100)) == 100 * 100 * 3


@pytest.mark.parametrize("format", ["jpeg", "webp", "png", "json", "events"])
def test_format_goes_before_accept(live: Live, format: str) -> None:
    answer = live.client.get("/ideal/cat", params={**FAST, "format": format}, headers={"Accept": "image/png"})
    expected = {"json": "application/json", "events": "text/event-stream"}.get(format, f"image/{format}")
    assert answer.headers["Content-Type"].split(";")[0] == expected


def test_events_tell_every_step_then_the_result(live: Live) -> None:
    params = {**FAST, "previews": "true"}
    with live.client.stream("GET", "/ideal/cat", params=params, headers={"Accept": "text/event-stream"}) as answer:
        heard = list(events(answer.iter_lines()))
    assert [name for name, _ in heard] == ["progress"] * 4 + ["result"]
    assert [(data["step"], data["steps"]) for name, data in heard[:4]] == [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert all(0 <= data["score"] <= 1 and data["preview"].startswith("data:image/png") for _, data in heard[:4])
    assert heard[4][1]["label"] == "cat"


def test_empty_options_are_defaults(live: Live) -> None:
    """As a form sends what was left blank."""
    address = "/ideal/cat?model=&method=fourier&steps=2&crops=1&tv=&seed=0&size=&format="
    told = live.client.get(address, headers={"Accept": "application/json"}).json()
    assert told["options"] == {"method": "fourier", "steps": 2, "crops": 1, "tv": 20.0, "seed": 0, "size": 64}


def test_classes_by_any_name(live: Live) -> None:
    for name, label in (("DOG", "dog"), ("siamese-cat", "Siamese cat"), ("sea lion", "sea_lion"), ("0", "cat")):
        told = live.client.get(f"/ideal/{name}", params={"steps": 1, "crops": 1, "format": "json"}).json()
        assert told["label"] == label


@pytest.mark.parametrize(
    ("path", "status", "detail"),
    [
        ("/ideal/dig", 404, "near are: dog"),
        ("/ideal/4", 404, "the indices are 0 to 3"),
        ("/ideal/cat?model=other", 404, "near are: tiny"),
        ("/ideal/cat?steps=0", 422, "steps: "),
        ("/ideal/cat?steps=1000000000", 422, "steps: "),
        ("/ideal/cat?crops=x", 422, "crops: "),
        ("/ideal/cat?tv=nan", 422, "tv: "),
        ("/ideal/cat?seed=-1", 422, "seed: "),
        ("/ideal/cat?size=99999", 422, "size: "),
        ("/ideal/cat?method=magic", 422, "choose one of fourier"),
        ("/ideal/cat?stepz=3", 422, "stepz: "),
        ("/ideal/cat?format=gif", 422, "format: "),
        ("/ideals/cat", 404, "GET /docs"),
    ],
)
def test_what_cannot_be_answered(live: Live, path: str, status: int, detail: str) -> None:
    answer = live.client.get(path)
    assert (answer.status_code, answer.headers["Content-Type"]) == (status, "application/problem+json")
    assert detail in answer.json()["detail"]


def test_an_accept_header_that_nothing_meets(live: Live) -> None:
    answer = live.client.get("/ideal/cat", headers={"Accept": "video/mp4"})
    assert answer.status_code == 406 and "image/png" in answer.json()["detail"]


@pytest.mark.parametrize("accept", ["image/png", "text/event-stream"])
def test_a_client_that_leaves_frees_the_engine(live: Live, accept: str) -> None:
    """A thousand steps asked for; the client hangs up, and the task ends long before them."""
    left, engine = live.service.engine.counters.left, live.service.engine
    with (
        httpx.Client(base_url=live.url, timeout=0.5) as client,
        pytest.raises(httpx.TimeoutException),
        client.stream("GET", "/ideal/cat?steps=1000&crops=32", headers={"Accept": accept}) as answer,
    ):
        next(answer.iter_bytes())
        raise httpx.ReadTimeout("enough")
    eventually(lambda: engine.counters.left == left + 1 and engine.alive == 0)

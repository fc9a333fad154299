"""GET /ideal/{class} and GET /ideal over HTTP: representations, options, and what is kept."""

import base64
import io
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image

from models import checkpoint
from tests.app.events import events
from tests.app.live_service import TINY, Live, eventually, lively_network, serve

FAST = {"steps": 4, "crops": 2}
PASSES = {"forward": 51, "backward": 8}
"""Four steps of two crops, and 43 looks."""


@pytest.fixture
def fresh(checkpoints: Path, tmp_path: Path) -> Iterator[Live]:
    """A service of its own, whose cache is empty."""
    with serve(checkpoints=checkpoints, cache=tmp_path / "cache") as running:
        yield running


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """Two models that know a cat, and one of other classes."""
    folder = tmp_path_factory.mktemp("three")
    network = lively_network()
    checkpoint.save(folder / "tiny.safetensors", network, TINY, {})
    for name, classes in {"other": ("sea lion", "DOG", "cow", "CAT"), "strange": ("a", "b", "c", "d")}.items():
        spec = type(TINY)(TINY.architecture, classes, input_size=64, resize=72)
        checkpoint.save(folder / f"{name}.safetensors", network, spec, {})
    with serve(checkpoints=folder, models="tiny,strange,other") as running:
        yield running


def told(live: Live, path: str, **params: object) -> dict[str, Any]:
    answer = live.client.get(path, params={**FAST, "format": "json", **params})
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def picture_of(url: str) -> Image.Image:
    head, _, data = url.partition(",")
    assert head == "data:image/png;base64"
    return Image.open(io.BytesIO(base64.b64decode(data)))


def test_the_picture_carries_its_figures(live: Live) -> None:
    """As headers and in the PNG's text chunk; they are what the service says when the picture is posted again."""
    answer = live.client.get("/ideal/dog", params=FAST)
    assert answer.headers["Content-Type"] == "image/png"
    image = Image.open(io.BytesIO(answer.content))
    assert image.size == (64, 64)
    figures = json.loads(image.text["mirage"])
    assert (figures["label"], figures["index"]) == ("dog", 1) == (answer.headers["X-Mirage-Label"], 1)
    assert figures["passes"] == PASSES
    ranked = live.client.post("/classify", files={"image": answer.content}).json()["predictions"]
    assert [each["label"] for each in ranked].index("dog") + 1 == figures["score"]["rank"]
    said = {each["label"]: each["probability"] for each in ranked}["dog"]
    assert figures["score"]["probability"] == pytest.approx(said, abs=1e-4)
    assert float(answer.headers["X-Mirage-Probability"]) == pytest.approx(said, abs=1e-3)
    assert float(answer.headers["X-Mirage-Robust"]) == pytest.approx(figures["score"]["robust"], abs=1e-3)
    assert "seconds" not in figures, "they would be other bytes each time"


def test_json_holds_the_same_picture_and_the_whole_verdict(live: Live) -> None:
    png = live.client.get("/ideal/dog", params=FAST).content
    found = told(live, "/ideal/dog")
    assert picture_of(found["image"]).tobytes() == Image.open(io.BytesIO(png)).tobytes()
    assert found["options"] == {
        "method": "fourier", "objective": "logit", "steps": 4, "crops": 2, "noise": 0.2, "patience": 20, "tv": 20.0,
        "decay": 1.25, "learning_rate": 0.05, "seed": 0, "count": 1, "size": 64,
    }  # fmt: skip
    score = found["score"]
    assert set(score["families"]) == {"crops", "shifts", "blur", "jpeg", "noise", "half"}
    assert score["robust"] == pytest.approx(sum(score["families"].values()) / 6)
    held_out = [value for name, value in score["families"].items() if name in ("blur", "jpeg", "half")]
    assert score["held_out"] == pytest.approx(sum(held_out) / 3)
    assert score["families"][score["weakest"]] == min(score["families"].values())
    assert score["activation"] is None and score["transfer"] is None
    assert found["pictures"] == [{"seed": 0, "steps": 4, "score": score, "reason": found["reason"], "image": None}]


def test_several_pictures_are_one_sheet_or_apart(live: Live) -> None:
    """Three from seed 5: each is what its own seed gives alone, the sheet has two rows of two places."""
    found = told(live, "/ideal/cat", seed=5, count=3)
    assert [each["seed"] for each in found["pictures"]] == [5, 6, 7]
    pictures = [picture_of(each["image"]) for each in found["pictures"]]
    sheet = picture_of(found["image"])
    assert sheet.size == (132, 132)
    corners = [(0, 0), (68, 0), (0, 68)]
    for picture, (left, top) in zip(pictures, corners, strict=True):
        assert sheet.crop((left, top, left + 64, top + 64)).tobytes() == picture.tobytes()
    assert sheet.getpixel((100, 100)) == (255, 255, 255)
    alone = told(live, "/ideal/cat", seed=6)
    assert alone["score"]["probability"] == pytest.approx(found["pictures"][1]["score"]["probability"], abs=0.05)
    assert found["passes"] == {name: 3 * value for name, value in PASSES.items()}


def test_seed_and_size(live: Live) -> None:
    def pixels(**options: object) -> bytes:
        content = live.client.get("/ideal/0", params={**FAST, **options}).content
        return Image.open(io.BytesIO(content)).tobytes()

    assert pixels(seed=1) != pixels(seed=2)
    assert len(pixels(size=100)) == 100 * 100 * 3


@pytest.mark.parametrize("method", ["fourier", "pixel", "maco"])
def test_methods(live: Live, method: str) -> None:
    found = told(live, "/ideal/cat", method=method)
    assert found["options"]["method"] == method and found["passes"] == PASSES


def test_a_channel_of_a_layer(live: Live) -> None:
    """Named as GET /models lists it; the score has its activation, and no class."""
    detail = live.client.get("/models/tiny").json()
    layer = next(each for each in detail["layers"] if each["name"] == "features.3")
    assert layer["channels"] == 24 and layer["height"] == layer["width"] == 8
    found = told(live, "/ideal", layer="features.3", channel=7, steps=8)
    assert (found["label"], found["layer"], found["channel"], found["index"]) == ("features.3:7", "features.3", 7, None)
    score = found["score"]
    assert score["probability"] is None and score["rank"] is None and isinstance(score["activation"], float)
    assert "objective" not in found["options"]
    answer = live.client.get("/ideal", params={**FAST, "layer": "features.3", "channel": 7})
    assert answer.headers["Content-Type"] == "image/png" and "X-Mirage-Activation" in answer.headers


def test_the_plain_recipe_of_a_channel(live: Live) -> None:
    plain = {"method": "pixel", "crops": 0, "clamp": "false", "steps": 2}
    found = told(live, "/ideal", layer="features.3", channel=7, **plain)
    assert found["pictures"][0]["steps"] == 2 and "objective" not in found["options"]


@pytest.mark.parametrize("format", ["jpeg", "webp", "png", "json", "events", "film", "gif"])
def test_format_goes_before_accept(live: Live, format: str) -> None:
    answer = live.client.get("/ideal/cat", params={**FAST, "format": format}, headers={"Accept": "image/png"})
    expected = {"json": "application/json", "events": "text/event-stream", "film": "image/webp"}
    assert answer.headers["Content-Type"].split(";")[0] == expected.get(format, f"image/{format}")


@pytest.mark.parametrize("format", ["film", "gif"])
def test_a_film_shows_every_step_and_ends_with_the_picture(live: Live, format: str) -> None:
    """Five steps and the picture itself, which is held; a film is a film to who accepts image/gif, too."""
    params = {"steps": 5, "crops": 2, "noise": 0.1}
    film = Image.open(io.BytesIO(live.client.get("/ideal/cat", params={**params, "format": format}).content))
    assert film.n_frames == 6 and film.size == (64, 64)
    frames = []
    for number in range(6):
        film.seek(number)
        frames.append(film.convert("RGB"))
    still = Image.open(io.BytesIO(live.client.get("/ideal/cat", params=params).content))
    difference = sum(abs(a - b) for a, b in zip(frames[-1].tobytes(), still.tobytes(), strict=True)) / (64 * 64 * 3)
    assert difference < 12, "lossy, or of few colours"
    assert len({frame.tobytes() for frame in frames}) == 6
    assert film.info["duration"] == 2000
    accepted = live.client.get("/ideal/cat", params=params, headers={"Accept": "image/gif"})
    assert accepted.headers["Content-Type"] == "image/gif"


def test_events_tell_every_step_then_the_result(live: Live) -> None:
    params = {**FAST, "previews": "true", "seed": 77}
    with live.client.stream("GET", "/ideal/cat", params=params, headers={"Accept": "text/event-stream"}) as answer:
        heard = list(events(answer.iter_lines()))
    assert [name for name, _ in heard] == ["progress"] * 4 + ["result"]
    assert [(data["step"], data["steps"]) for name, data in heard[:4]] == [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert all(0 <= data["score"] <= 1 and data["preview"].startswith("data:image/png") for _, data in heard[:4])
    assert heard[4][1]["label"] == "cat"


def test_what_is_kept_is_streamed_at_once(live: Live) -> None:
    result = told(live, "/ideal/cat", seed=78)
    with live.client.stream("GET", "/ideal/cat", params={**FAST, "seed": 78, "format": "events"}) as answer:
        heard = list(events(answer.iter_lines()))
    assert heard == [("result", result)]


def test_empty_options_are_defaults(live: Live) -> None:
    """As a form sends what was left blank."""
    address = "/ideal/cat?model=&method=fourier&steps=2&crops=1&tv=&seed=0&size=&judge=&decay=&format="
    found = live.client.get(address, headers={"Accept": "application/json"}).json()
    assert (found["options"]["tv"], found["options"]["decay"], found["options"]["size"]) == (20.0, 1.25, 64)


def test_classes_by_any_name(live: Live) -> None:
    for name, label in (("DOG", "dog"), ("siamese-cat", "Siamese cat"), ("sea lion", "sea_lion"), ("0", "cat")):
        assert told(live, f"/ideal/{name}", steps=1, crops=1)["label"] == label


# What is kept.


def test_the_same_is_computed_once(fresh: Live) -> None:
    """The second answer has the first one's very bytes, seconds included, and the network was not asked."""
    first = fresh.client.get("/ideal/cat", params={**FAST, "format": "json"})
    rows = fresh.service.engine.counters.gradient_rows
    again = fresh.client.get("/ideal/cat", params={**FAST, "format": "json"})
    assert again.content == first.content
    assert fresh.service.engine.counters.gradient_rows == rows == 8
    other = fresh.client.get("/ideal/cat", params={**FAST, "seed": 1, "format": "json"})
    assert other.content != first.content and fresh.service.engine.counters.gradient_rows == 16


def test_a_film_is_kept_too_and_leaves_its_picture(fresh: Live) -> None:
    first = fresh.client.get("/ideal/cat", params={**FAST, "format": "film"})
    assert fresh.service.engine.counters.gradient_rows == 8
    assert fresh.client.get("/ideal/cat", params={**FAST, "format": "film"}).content == first.content
    assert fresh.client.get("/ideal/cat", params=FAST).status_code == 200
    assert fresh.service.engine.counters.gradient_rows == 8


def test_a_film_that_lost_a_frame_is_not_shown(fresh: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    """The picture is kept all the same, and the next asker gets the whole film."""
    with monkeypatch.context() as patch:
        patch.setattr("app.ideal.film.thumbnail", lambda *_: 1 / 0)
        torn = fresh.client.get("/ideal/cat", params={**FAST, "format": "film"})
    assert torn.status_code == 503 and "ETag" not in torn.headers
    assert fresh.client.get("/ideal/cat", params=FAST).status_code == 200
    assert fresh.service.engine.counters.gradient_rows == 8
    assert fresh.client.get("/ideal/cat", params={**FAST, "format": "film"}).status_code == 200


def test_who_has_it_is_told_so(fresh: Live) -> None:
    """304 with the tag and no body, before anything is computed; another format, option or tag is another thing."""
    answer = fresh.client.get("/ideal/cat", params=FAST)
    tag = answer.headers["ETag"]
    assert (
        tag.startswith('W/"') and answer.headers["Cache-Control"] == "no-cache" and "Accept" in answer.headers["Vary"]
    )
    for given in (tag, tag.removeprefix("W/"), f'"other", {tag}', "*"):
        known = fresh.client.get("/ideal/cat", params=FAST, headers={"If-None-Match": given})
        assert (known.status_code, known.content, known.headers["ETag"]) == (304, b"", tag)
    for params in ({**FAST, "seed": 2}, {**FAST, "format": "webp"}, {**FAST, "noise": 0.1}):
        other = fresh.client.get("/ideal/cat", params=params, headers={"If-None-Match": tag})
        assert other.status_code == 200 and other.headers["ETag"] != tag
    written_out = {**FAST, "tv": 20.0, "size": 64, "method": "fourier"}
    known = fresh.client.get("/ideal/0", params=written_out, headers={"If-None-Match": tag})
    assert known.status_code == 304, "the same thing in other words"


def test_nobody_has_what_cannot_be(live: Live) -> None:
    answer = live.client.get("/ideal/cat?count=16&size=1024", headers={"If-None-Match": "*"})
    assert answer.status_code == 422 and "ETag" not in answer.headers


def test_it_outlives_a_restart(checkpoints: Path, tmp_path: Path) -> None:
    answers = []
    for _ in range(2):
        with serve(checkpoints=checkpoints, cache=tmp_path) as running:
            answers.append(running.client.get("/ideal/cat", params=FAST))
            rows = running.service.engine.counters.gradient_rows
    assert answers[0].content == answers[1].content and answers[0].headers["ETag"] == answers[1].headers["ETag"]
    assert rows == 0


def test_drawn_anew_it_is_the_same_bytes(checkpoints: Path) -> None:
    """Nothing is kept, and strangers share the network the second time."""
    with serve(checkpoints=checkpoints, cache_bytes=0) as running:
        alone = running.client.get("/ideal/dog", params={"steps": 12, "crops": 3, "count": 2})
        strangers = [
            threading.Thread(
                target=running.client.get,
                args=["/ideal/cat"],
                kwargs={"params": {"steps": 30, "seed": k, "patience": 0}},
            )
            for k in range(3)
        ]
        for stranger in strangers:
            stranger.start()
        among = running.client.get("/ideal/dog", params={"steps": 12, "crops": 3, "count": 2})
        for stranger in strangers:
            stranger.join()
        rows = running.service.engine.counters.gradient_rows
    assert among.content == alone.content
    assert rows == 2 * (12 * 3 * 2) + 3 * 30 * 4


def test_many_who_ask_at_once_share_one_computation(fresh: Live) -> None:
    """Eight askers in three representations: the network is asked once, and all get the same."""
    formats = ["png", "json", "png", "events", "png", "json", "png", "events"]
    answers: dict[int, httpx.Response] = {}

    def ask(number: int) -> None:
        params = {"steps": 40, "crops": 4, "patience": 0, "format": formats[number]}
        answers[number] = fresh.client.get("/ideal/cat", params=params)

    threads = [threading.Thread(target=ask, args=[number]) for number in range(len(formats))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert fresh.service.engine.counters.gradient_rows == 160
    assert len({answers[number].content for number in (0, 2, 4, 6)}) == 1
    assert answers[1].content == answers[5].content
    results = [list(events(iter(answers[number].text.splitlines())))[-1] for number in (3, 7)]
    assert results == [("result", answers[1].json())] * 2


def test_the_last_who_leaves_ends_it(fresh: Live) -> None:
    """Of two askers one leaves: it goes on; the other leaves: it ends, long before its thousand steps."""
    engine, params = fresh.service.engine, {"steps": 1000, "crops": 32, "patience": 0, "format": "events"}
    with httpx.Client(base_url=fresh.url, timeout=60) as one, httpx.Client(base_url=fresh.url, timeout=60) as other:
        with one.stream("GET", "/ideal/cat", params=params) as first:
            chunks = first.iter_bytes()  # which closes the connection when it is forgotten
            next(chunks)
            with other.stream("GET", "/ideal/cat", params=params) as second:
                next(second.iter_bytes())
            rows = engine.counters.gradient_rows
            eventually(lambda: engine.counters.gradient_rows > rows + 64)
            assert engine.alive == 1 and engine.counters.left == 0
            del chunks
        eventually(lambda: engine.counters.left == 1 and engine.alive == 0)


def test_what_fails_is_not_kept(fresh: Live) -> None:
    """A deadline that passes: 504, and the next asker begins anew."""
    service = fresh.service
    object.__setattr__(service, "settings", service.settings.model_copy(update={"deadline_s": 0.05}))
    answer = fresh.client.get("/ideal/cat", params={"steps": 1000, "crops": 8})
    assert answer.status_code == 504
    object.__setattr__(service, "settings", service.settings.model_copy(update={"deadline_s": 60.0}))
    assert fresh.client.get("/ideal/cat", params=FAST).status_code == 200


# The judge.


def test_another_model_that_knows_the_class_is_asked(two: Live) -> None:
    """`strange` does not know it, `other` does, under another index; it says of the file what /classify says."""
    answer = two.client.get("/ideal/cat", params=FAST)
    transfer = json.loads(Image.open(io.BytesIO(answer.content)).text["mirage"])["score"]["transfer"]
    said = two.client.post("/classify?model=other", files={"image": answer.content}).json()["predictions"]
    assert transfer["model"] == "other" and transfer["label"] == said[0]["label"]
    (place,) = [number for number, each in enumerate(said) if each["label"] == "CAT"]
    assert transfer["rank"] == place + 1
    assert transfer["probability"] == pytest.approx(said[place]["probability"], abs=1e-5)


def test_what_the_judge_could_not_be_asked_is_not_kept(two: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    """The drawing is not lost; the next asker gets all of it."""
    other = two.service.registry.get("other").classifier
    params = {**FAST, "seed": 77}
    with monkeypatch.context() as patch:
        patch.setattr(other, "answer", lambda _: 1 / 0)
        poor = two.client.get("/ideal/cat", params={**params, "format": "json"})
    assert poor.status_code == 200 and poor.json()["score"]["transfer"] is None
    assert "ETag" not in poor.headers and poor.headers["Cache-Control"] == "no-store"
    whole = two.client.get("/ideal/cat", params={**params, "format": "json"})
    assert whole.json()["score"]["transfer"]["model"] == "other" and "ETag" in whole.headers
    assert whole.json()["image"] == poor.json()["image"]


def test_a_judge_of_ones_choice(two: Live) -> None:
    assert told(two, "/ideal/a", model="strange")["score"]["transfer"] is None
    assert told(two, "/ideal/cat", model="other", judge="tiny")["score"]["transfer"]["model"] == "tiny"
    for params, status, detail in (
        ({"judge": "strange"}, 404, "cat"),
        ({"judge": "nobody"}, 404, "near are"),
        ({"judge": "tiny"}, 422, "name another"),
    ):
        answer = two.client.get("/ideal/cat", params={**FAST, **params})
        assert answer.status_code == status and detail in answer.json()["detail"]
    answer = two.client.get("/ideal", params={"layer": "features.3", "channel": 0, "judge": "other"})
    assert answer.status_code == 422 and "judge" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("path", "status", "detail"),
    [
        ("/ideal/dig", 404, "near are: dog"),
        ("/ideal/4", 404, "the indices are 0 to 3"),
        ("/ideal/cat?model=other", 404, "near are: tiny"),
        ("/ideal/cat?steps=0", 422, "steps: "),
        ("/ideal/cat?count=16&size=1024", 422, "ask for 4, or for smaller ones"),
        ("/ideal/cat?count=16&size=1024&format=events", 422, "ask for 4, or for smaller ones"),
        ("/ideal?layer=features.3&channel=0&objective=margin", 422, "objective is only for classes"),
        ("/ideal/cat?steps=1000000000", 422, "steps: "),
        ("/ideal/cat?crops=x", 422, "crops: "),
        ("/ideal/cat?tv=nan", 422, "tv: "),
        ("/ideal/cat?learning_rate=inf", 422, "learning_rate: "),
        ("/ideal/cat?noise=2", 422, "noise: "),
        ("/ideal/cat?count=0", 422, "count: "),
        ("/ideal/cat?count=17", 422, "count: "),
        ("/ideal/cat?seed=-1", 422, "seed: "),
        ("/ideal/cat?size=99999", 422, "size: "),
        ("/ideal/cat?method=magic", 422, "choose one of fourier"),
        ("/ideal/cat?clamp=false", 422, "clamp is an option of pixel"),
        ("/ideal/cat?method=pixel&decay=1", 422, "pixel takes no decay"),
        ("/ideal/cat?objective=x", 422, "choose one of logit"),
        ("/ideal/cat?stepz=3", 422, "stepz: "),
        ("/ideal/cat?format=bmp", 422, "format: "),
        ("/ideals/cat", 404, "GET /docs"),
        ("/ideal", 422, "layer: "),
        ("/ideal?layer=features.3", 422, "channel: "),
        ("/ideal?layer=features.33&channel=0", 404, "near are: features.3"),
        ("/ideal?layer=features.3&channel=24", 404, "0 to 23"),
        ("/ideal?layer=features.3&channel=-1", 422, "channel: "),
    ],
)
def test_what_cannot_be_answered(live: Live, path: str, status: int, detail: str) -> None:
    answer = live.client.get(path)
    assert (answer.status_code, answer.headers["Content-Type"]) == (status, "application/problem+json")
    assert detail in answer.json()["detail"]


def test_an_accept_header_that_nothing_meets(live: Live) -> None:
    answer = live.client.get("/ideal/cat", headers={"Accept": "video/mp4"})
    assert answer.status_code == 406 and "image/png" in answer.json()["detail"]


@pytest.mark.parametrize("format", ["png", "events", "film"])
def test_a_client_that_leaves_frees_the_engine(live: Live, format: str) -> None:
    """A thousand steps asked for; the client hangs up, and the task ends long before them."""
    left, engine = live.service.engine.counters.left, live.service.engine
    with (
        httpx.Client(base_url=live.url, timeout=0.5) as client,
        pytest.raises(httpx.TimeoutException),
        client.stream("GET", f"/ideal/cat?steps=1000&crops=32&patience=0&format={format}") as answer,
    ):
        next(answer.iter_bytes())
        raise httpx.ReadTimeout("enough")
    eventually(lambda: engine.counters.left == left + 1 and engine.alive == 0)

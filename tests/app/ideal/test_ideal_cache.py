"""Tests the cache of GET /ideal: which responses are stored, and when they are computed again."""

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.app.events import events
from tests.app.ideal.ideal_requests import FAST, get_json
from tests.app.live_service import Live, eventually, serve


def test_a_stored_result_is_streamed_at_once(live: Live) -> None:
    result = get_json(live, "/ideal/cat", seed=78)
    with live.client.stream("GET", "/ideal/cat", params={**FAST, "seed": 78, "format": "events"}) as response:
        received = list(events(response.iter_lines()))
    assert received == [("result", result)]


def test_equal_requests_are_computed_once(fresh: Live) -> None:
    """The second response has exactly the bytes of the first, seconds included, and takes no passes."""
    first = fresh.client.get("/ideal/cat", params={**FAST, "format": "json"})
    rows = fresh.service.engine.counters.gradient_rows
    repeated = fresh.client.get("/ideal/cat", params={**FAST, "format": "json"})
    assert repeated.content == first.content
    assert fresh.service.engine.counters.gradient_rows == rows == 8
    with_another_seed = fresh.client.get("/ideal/cat", params={**FAST, "seed": 1, "format": "json"})
    assert with_another_seed.content != first.content and fresh.service.engine.counters.gradient_rows == 16


def test_a_film_is_stored_together_with_its_picture(fresh: Live) -> None:
    first = fresh.client.get("/ideal/cat", params={**FAST, "format": "film"})
    assert fresh.service.engine.counters.gradient_rows == 8
    assert fresh.client.get("/ideal/cat", params={**FAST, "format": "film"}).content == first.content
    assert fresh.client.get("/ideal/cat", params=FAST).status_code == 200
    assert fresh.service.engine.counters.gradient_rows == 8


def test_an_incomplete_film_is_not_returned(fresh: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    """The picture is stored all the same, and the next request gets the complete film."""
    with monkeypatch.context() as patch:
        patch.setattr("app.ideal.film.thumbnail", lambda *_: 1 / 0)
        incomplete = fresh.client.get("/ideal/cat", params={**FAST, "format": "film"})
    assert incomplete.status_code == 503 and "ETag" not in incomplete.headers
    assert fresh.client.get("/ideal/cat", params=FAST).status_code == 200
    assert fresh.service.engine.counters.gradient_rows == 8
    assert fresh.client.get("/ideal/cat", params={**FAST, "format": "film"}).status_code == 200


def test_a_client_that_has_the_response_gets_304(fresh: Live) -> None:
    """It has the tag and no body. Another seed, format or option has another tag."""
    response = fresh.client.get("/ideal/cat", params=FAST)
    tag = response.headers["ETag"]
    assert (
        tag.startswith('W/"')
        and response.headers["Cache-Control"] == "no-cache"
        and "Accept" in response.headers["Vary"]
    )
    for if_none_match in (tag, tag.removeprefix("W/"), f'"other", {tag}', "*"):
        not_modified = fresh.client.get("/ideal/cat", params=FAST, headers={"If-None-Match": if_none_match})
        assert (not_modified.status_code, not_modified.content, not_modified.headers["ETag"]) == (304, b"", tag)
    for params in ({**FAST, "seed": 2}, {**FAST, "format": "webp"}, {**FAST, "noise": 0.1}):
        modified = fresh.client.get("/ideal/cat", params=params, headers={"If-None-Match": tag})
        assert modified.status_code == 200 and modified.headers["ETag"] != tag
    explicit_defaults = {**FAST, "tv": 20.0, "size": 64, "method": "fourier"}
    not_modified = fresh.client.get("/ideal/0", params=explicit_defaults, headers={"If-None-Match": tag})
    assert not_modified.status_code == 304, "explicit defaults give the same response"


def test_a_bad_request_is_refused_even_with_if_none_match(live: Live) -> None:
    response = live.client.get("/ideal/cat?count=16&size=1024", headers={"If-None-Match": "*"})
    assert response.status_code == 422 and "ETag" not in response.headers


def test_stored_responses_survive_a_restart(checkpoints: Path, tmp_path: Path) -> None:
    responses = []
    for _ in range(2):
        with serve(checkpoints=checkpoints, cache=tmp_path) as running:
            responses.append(running.client.get("/ideal/cat", params=FAST))
            rows = running.service.engine.counters.gradient_rows
    assert responses[0].content == responses[1].content and responses[0].headers["ETag"] == responses[1].headers["ETag"]
    assert rows == 0


def test_a_picture_that_is_drawn_again_has_the_same_bytes(checkpoints: Path) -> None:
    """Nothing is stored, and the second time other requests share the network."""
    with serve(checkpoints=checkpoints, cache_bytes=0) as running:
        alone = running.client.get("/ideal/dog", params={"steps": 12, "crops": 3, "count": 2})
        other_requests = [
            threading.Thread(
                target=running.client.get,
                args=["/ideal/cat"],
                kwargs={"params": {"steps": 30, "seed": k, "patience": 0}},
            )
            for k in range(3)
        ]
        for thread in other_requests:
            thread.start()
        with_other_tasks = running.client.get("/ideal/dog", params={"steps": 12, "crops": 3, "count": 2})
        for thread in other_requests:
            thread.join()
        rows = running.service.engine.counters.gradient_rows
    assert with_other_tasks.content == alone.content
    assert rows == 2 * (12 * 3 * 2) + 3 * 30 * 1


def test_a_failure_is_not_stored(fresh: Live) -> None:
    """A passed deadline gives 504, and the next request starts a new computation."""
    service = fresh.service
    object.__setattr__(service, "settings", service.settings.model_copy(update={"deadline_s": 0.05}))
    response = fresh.client.get("/ideal/cat", params={"steps": 1000, "crops": 8})
    assert response.status_code == 504
    object.__setattr__(service, "settings", service.settings.model_copy(update={"deadline_s": 60.0}))
    assert fresh.client.get("/ideal/cat", params=FAST).status_code == 200


def test_whoever_joins_a_drawing_has_a_deadline_of_their_own(fresh: Live) -> None:
    """The one who asked first gets 504, and the drawing goes on for the other one, who has more time."""
    service, long = fresh.service, {"steps": 40, "crops": 8, "patience": 0}

    def allow(seconds: float) -> None:
        object.__setattr__(service, "settings", service.settings.model_copy(update={"deadline_s": seconds}))

    with ThreadPoolExecutor(1) as pool:
        allow(0.2)
        first = pool.submit(fresh.client.get, "/ideal/cat", params=long)
        eventually(lambda: service.engine.alive == 1)
        allow(60.0)
        assert fresh.client.get("/ideal/cat", params=long).status_code == 200
        assert first.result().status_code == 504

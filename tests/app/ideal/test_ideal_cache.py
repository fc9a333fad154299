"""Responses of GET /ideal that are stored: what is stored, and for whom it is computed again."""

import threading
from pathlib import Path

import pytest

from tests.app.events import events
from tests.app.ideal.ideal_requests import FAST, get_json
from tests.app.live_service import Live, serve


def test_what_is_kept_is_streamed_at_once(live: Live) -> None:
    result = get_json(live, "/ideal/cat", seed=78)
    with live.client.stream("GET", "/ideal/cat", params={**FAST, "seed": 78, "format": "events"}) as response:
        received = list(events(response.iter_lines()))
    assert received == [("result", result)]


def test_the_same_is_computed_once(fresh: Live) -> None:
    """The second response has the first one's very bytes, seconds included, and the network was not asked."""
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
    response = fresh.client.get("/ideal/cat", params=FAST)
    tag = response.headers["ETag"]
    assert (
        tag.startswith('W/"')
        and response.headers["Cache-Control"] == "no-cache"
        and "Accept" in response.headers["Vary"]
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
    response = live.client.get("/ideal/cat?count=16&size=1024", headers={"If-None-Match": "*"})
    assert response.status_code == 422 and "ETag" not in response.headers


def test_it_outlives_a_restart(checkpoints: Path, tmp_path: Path) -> None:
    responses = []
    for _ in range(2):
        with serve(checkpoints=checkpoints, cache=tmp_path) as running:
            responses.append(running.client.get("/ideal/cat", params=FAST))
            rows = running.service.engine.counters.gradient_rows
    assert responses[0].content == responses[1].content and responses[0].headers["ETag"] == responses[1].headers["ETag"]
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


def test_what_fails_is_not_kept(fresh: Live) -> None:
    """A deadline that passes: 504, and the next asker begins anew."""
    service = fresh.service
    object.__setattr__(service, "settings", service.settings.model_copy(update={"deadline_s": 0.05}))
    response = fresh.client.get("/ideal/cat", params={"steps": 1000, "crops": 8})
    assert response.status_code == 504
    object.__setattr__(service, "settings", service.settings.model_copy(update={"deadline_s": 60.0}))
    assert fresh.client.get("/ideal/cat", params=FAST).status_code == 200

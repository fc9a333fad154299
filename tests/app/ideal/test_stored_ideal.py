"""Tests reading and writing stored responses of GET /ideal, and the outcomes made from them."""

import base64
import contextlib
import io
import json
import sqlite3
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from app.engine.cache import ResultCache
from app.ideal.stored_ideal import StoredIdeal, load_stored
from models.pictures import encode
from tests.app.live_service import Live, drawn

SCORE = {
    "probability": 0.999, "activation": None, "on_noise": None, "rank": 1, "promised": 0.999, "robust": 0.99,
    "held_out": 0.985, "families": {"crops": 0.99, "blur": 0.97}, "weakest": "blur", "slope": 1.21, "variation": 0.11,
    "transfer": None,
}  # fmt: skip


def figures(count: int = 1, **score: object) -> dict[str, Any]:
    default_score = {**SCORE, "probability": 0.98765, "robust": 0.5}
    picture = {"steps": 3, "score": {**default_score, **score}, "reason": None, "image": None}
    return {
        "model": "tiny", "version": "0123456789ab",
        "label": "cat", "index": 0, "layer": None, "channel": None, "score": picture["score"],
        "reason": None, "pictures": [{"seed": seed, **picture} for seed in range(count)], "options": {"tv": 20.0},
        "passes": {"forward": 46, "backward": 3}, "seconds": 0.123,
    }  # fmt: skip


def document(figures: object, files: Iterable[bytes]) -> bytes:
    """Return a cache entry, written without the code under test."""
    return json.dumps({"figures": figures, "pictures": [base64.b64encode(file).decode() for file in files]}).encode()


def files(count: int) -> list[bytes]:
    return [encode(drawn(16, 16, seed)) for seed in range(count)]


def stored(count: int = 1, **score: object) -> StoredIdeal:
    return StoredIdeal.from_bytes(document(figures(count, **score), files(count)))


def test_a_stored_ideal_is_written_as_it_was_read() -> None:
    """All values and all bytes of the pictures are unchanged."""
    assert json.loads(stored(3).to_bytes()) == json.loads(document(figures(3), files(3)))


def test_the_outcome_of_one_picture() -> None:
    outcome = stored().outcome()
    assert torch.equal(outcome.image(), drawn(16, 16, 0))
    headers = {"Model": "tiny", "Version": "0123456789ab", "Label": "cat", "Probability": "0.9877", "Robust": "0.5000"}
    assert outcome.headers == headers
    body = json.loads(outcome.json())
    assert body["pictures"][0]["image"] is None and body["seconds"] == 0.123
    without_seconds = {name: value for name, value in figures().items() if name != "seconds"}
    assert json.loads(outcome.body.text()) == without_seconds


def test_a_response_that_was_stored_without_a_version_is_still_read() -> None:
    old = {name: value for name, value in figures(1).items() if name != "version"}
    outcome = StoredIdeal.from_bytes(document(old, files(1))).outcome()
    assert outcome.headers["Model"] == "tiny" and "Version" not in outcome.headers


def test_the_outcome_of_several_pictures() -> None:
    """The picture is a sheet of two; the JSON has every picture by itself, and the text of a PNG has none."""
    outcome = stored(2).outcome()
    assert tuple(outcome.image().shape) == (3, 16, 36)
    urls = [picture["image"] for picture in json.loads(outcome.json())["pictures"]]
    assert len(set(urls)) == 2 and all(url.startswith("data:image/png;base64,") for url in urls)
    assert [picture["image"] for picture in json.loads(outcome.body.text())["pictures"]] == [None, None]


def test_headers_of_a_poor_picture_of_a_channel() -> None:
    of_channel = figures(probability=None, activation=12.34567, rank=None)
    stored_ideal = StoredIdeal.from_bytes(document({**of_channel, "reason": "too few steps"}, files(1)))
    headers = stored_ideal.outcome().headers
    assert "Probability" not in headers
    assert (headers["Activation"], headers["Reason"]) == ("12.3457", "too few steps")


def without(name: str) -> bytes:
    return document({key: value for key, value in figures().items() if key != name}, files(1))


BROKEN = {
    "no JSON": b"\x00\xff",
    "nothing": b"",
    "a list": b"[1, 2]",
    "half": document(figures(), files(1))[:-20],
    "no figures": b'{"pictures": []}',
    "figures that are none": b'{"figures": 3, "pictures": []}',
    "no base64": json.dumps({"figures": figures(), "pictures": ["a"]}).encode(),
    "no picture": document(figures(), [b"no picture"]),
    "half a picture": document(figures(), [files(1)[0][:200]]),
    "no pictures": document(figures(), []),
    "no score": without("score"),
    "a figure less": without("passes"),
    "a film": b"RIFF\x00\x00\x00\x00WEBP",
}


@pytest.mark.parametrize("damage", BROKEN)
def test_an_unreadable_entry_counts_as_absent(
    live: Live, tmp_path: Path, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    service = replace(live.service, cache=ResultCache(tmp_path, 100_000))
    assert load_stored(service, "key") is None and caplog.text == ""
    service.cache.put("key", BROKEN[damage])
    assert load_stored(service, "key") is None
    assert "drawn anew" in caplog.text
    service.cache.put("key", document(figures(), files(1)))
    loaded = load_stored(service, "key")
    assert loaded is not None and json.loads(loaded.to_bytes()) == json.loads(document(figures(), files(1)))


@pytest.mark.parametrize("format", ["png", "events"])
def test_a_damaged_entry_is_drawn_again_and_replaced(live: Live, format: str) -> None:
    """The entry in the cache file is overwritten; the new picture has the same bytes and is stored again."""
    params = {"steps": 1, "crops": 1, "seed": 4242}
    original = live.client.get("/ideal/cat", params=params)
    with contextlib.closing(sqlite3.connect(live.service.cache.file)) as database, database:
        database.execute(
            "UPDATE answers SET value = ? WHERE key = (SELECT key FROM answers ORDER BY used DESC LIMIT 1)", [b"spoilt"]
        )
    rows = live.service.engine.counters.gradient_rows
    response = live.client.get("/ideal/cat", params={**params, "format": format})
    assert response.status_code == 200 and live.service.engine.counters.gradient_rows == rows + 1
    assert "event: problem" not in response.text if format == "events" else response.content == original.content
    assert Image.open(io.BytesIO(live.client.get("/ideal/cat", params=params).content)).size == (64, 64)
    assert live.service.engine.counters.gradient_rows == rows + 1

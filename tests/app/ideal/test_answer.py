"""What is kept of an answer, and how it is shown."""

import contextlib
import io
import json
import sqlite3
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from app.ideal.answer import Kept, look_up
from app.ideal.route import SCORE
from PIL import Image

from app.engine.cache import ResultCache
from models.pictures import encode
from tests.app.live_service import Live, drawn


def figures(count: int = 1, **score: object) -> dict[str, Any]:
    usual = {**SCORE, "probability": 0.98765, "robust": 0.5, "transfer": None}
    one = {"steps": 3, "score": {**usual, **score}, "reason": None, "image": None}
    return {
        "model": "tiny", "label": "cat", "index": 0, "layer": None, "channel": None, "score": one["score"],
        "reason": None, "pictures": [{"seed": seed, **one} for seed in range(count)], "options": {"tv": 20.0},
        "passes": {"forward": 46, "backward": 3}, "seconds": 0.123,
    }  # fmt: skip


def kept(count: int = 1, **score: object) -> Kept:
    pictures = tuple(encode(drawn(16, 16, seed)) for seed in range(count))
    return Kept(figures(count, **score), pictures)


def test_there_and_back() -> None:
    """Every figure and every byte."""
    one = kept(3)
    assert Kept.from_bytes(one.to_bytes()) == one


def test_the_outcome_of_one_picture() -> None:
    outcome = kept().outcome()
    assert torch.equal(outcome.image, drawn(16, 16, 0))
    assert outcome.headers == {"Model": "tiny", "Label": "cat", "Probability": "0.9877", "Robust": "0.5000"}
    body = json.loads(outcome.json())
    assert body["pictures"][0]["image"] is None and body["seconds"] == 0.123
    assert outcome.text() == {name: value for name, value in figures().items() if name != "seconds"}


def test_the_outcome_of_several_pictures() -> None:
    """A sheet of two places across, and each picture by itself in the JSON."""
    outcome = kept(2).outcome()
    assert tuple(outcome.image.shape) == (3, 16, 36)
    urls = [each["image"] for each in json.loads(outcome.json())["pictures"]]
    assert len(set(urls)) == 2 and all(url.startswith("data:image/png;base64,") for url in urls)


def test_headers_of_a_channel_and_of_a_poor_picture() -> None:
    of_channel = kept(probability=None, activation=12.34567, rank=None)
    poor = Kept({**of_channel.figures, "reason": "too few steps"}, of_channel.pictures)
    headers = poor.outcome().headers
    assert "Probability" not in headers
    assert (headers["Activation"], headers["Reason"]) == ("12.3457", "too few steps")


def without(name: str) -> bytes:
    found = kept()
    return Kept({key: value for key, value in found.figures.items() if key != name}, found.pictures).to_bytes()


BROKEN = {
    "no JSON": b"\x00\xff",
    "nothing": b"",
    "a list": b"[1, 2]",
    "half": kept().to_bytes()[:-20],
    "no figures": b'{"pictures": []}',
    "figures that are none": b'{"figures": 3, "pictures": []}',
    "no base64": json.dumps({"figures": figures(), "pictures": ["a"]}).encode(),
    "no picture": Kept(figures(), (b"no picture",)).to_bytes(),
    "half a picture": Kept(figures(), (kept().pictures[0][:200],)).to_bytes(),
    "no pictures": Kept(figures(), ()).to_bytes(),
    "no score": without("score"),
    "a figure less": without("passes"),
    "a film": b"RIFF\x00\x00\x00\x00WEBP",
}


@pytest.mark.parametrize("what", BROKEN)
def test_what_cannot_be_read_counts_as_absent(
    live: Live, tmp_path: Path, what: str, caplog: pytest.LogCaptureFixture
) -> None:
    service = replace(live.service, cache=ResultCache(tmp_path, 100_000))
    assert look_up(service, "key") is None and caplog.text == ""
    service.cache.put("key", BROKEN[what])
    assert look_up(service, "key") is None
    assert "drawn anew" in caplog.text
    service.cache.put("key", kept().to_bytes())
    assert look_up(service, "key") == kept()


@pytest.mark.parametrize("format", ["png", "events"])
def test_an_answer_does_not_break_on_what_is_kept(live: Live, format: str) -> None:
    """The entry is spoilt under its key: the picture is drawn anew, to the same bytes, and kept again."""
    params = {"steps": 1, "crops": 1, "seed": 4242}
    whole = live.client.get("/ideal/cat", params=params)
    with contextlib.closing(sqlite3.connect(live.service.cache.file)) as database, database:
        newest = "SELECT key FROM answers ORDER BY used DESC LIMIT 1"
        database.execute(f"UPDATE answers SET value = ? WHERE key = ({newest})", [b"spoilt"])
    rows = live.service.engine.counters.gradient_rows
    again = live.client.get("/ideal/cat", params={**params, "format": format})
    assert again.status_code == 200 and live.service.engine.counters.gradient_rows == rows + 1
    assert "event: problem" not in again.text if format == "events" else again.content == whole.content
    assert Image.open(io.BytesIO(live.client.get("/ideal/cat", params=params).content)).size == (64, 64)
    assert live.service.engine.counters.gradient_rows == rows + 1

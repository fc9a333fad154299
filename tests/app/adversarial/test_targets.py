"""POST /adversarial/targets over HTTP."""

import json
from typing import Any

import pytest

from tests.app.live_service import Live
from tests.app.picture_requests import classify, post


def targets(live: Live, picture: bytes, **fields: object) -> dict[str, Any]:
    """The response, which must succeed."""
    response = post(live, "/adversarial/targets", picture, **fields)
    assert response.status_code == 200, response.text
    return dict(response.json())


def test_the_nearest_classes(live: Live, picture: bytes) -> None:
    """All others there are, nearest first, with /classify's probabilities; the nearest is within reach of DDN."""
    result = targets(live, picture)
    assert set(result) == {"model", "original", "nearest", "passes"}
    ranked = classify(live, picture)
    assert result["original"]["label"] == ranked[0]["label"]
    probabilities = {each["label"]: each["probability"] for each in ranked[1:]}
    assert {each["label"]: each["probability"] for each in result["nearest"]} == pytest.approx(probabilities, abs=1e-4)
    distances = [each["distance"] for each in result["nearest"]]
    assert len(distances) == 3 and distances == sorted(distances) and distances[0] > 0
    assert all(set(each) == {"label", "index", "probability", "distance"} for each in result["nearest"])
    passes = result["passes"]
    assert 3 <= passes["backward"] <= 3 * 20 and passes["backward"] < passes["forward"] <= 1 + 3 * 21


def test_as_many_as_are_asked_for(live: Live, picture: bytes) -> None:
    """`top` of the `candidates` that are measured, which are the most probable; no fewer are measured than result."""
    every = targets(live, picture)["nearest"]
    assert targets(live, picture, top=1)["nearest"] == [every[0]]
    likeliest = max(every, key=lambda each: each["probability"])["label"]
    assert [each["label"] for each in targets(live, picture, top=1, candidates=1)["nearest"]] == [likeliest]
    assert len(targets(live, picture, top=2, candidates=1)["nearest"]) == 2
    assert len(targets(live, picture, top=50, candidates=50)["nearest"]) == 3


def test_a_class_without_a_way_has_no_distance(live: Live, picture: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """JSON has no infinity: null. Where the network is flat no step leads anywhere."""
    classifier = live.service.registry.get("tiny").classifier
    honest = classifier.logits
    monkeypatch.setattr(classifier, "logits", lambda pixels: honest(pixels) * 0 + honest(0 * pixels[:1]).detach())
    response = post(live, "/adversarial/targets", picture)
    assert response.status_code == 200
    assert json.loads(response.text)["nearest"][0]["distance"] is None

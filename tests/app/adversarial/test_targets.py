"""Tests POST /adversarial/targets over HTTP."""

import json
from typing import Any

import pytest
from torch import Tensor

from models.unroll import Function
from tests.app.live_service import Live
from tests.app.picture_requests import classify, post


def targets(live: Live, picture: bytes, **fields: object) -> dict[str, Any]:
    """Send the picture to POST /adversarial/targets, which must succeed, and return the JSON response."""
    response = post(live, "/adversarial/targets", picture, **fields)
    assert response.status_code == 200, response.text
    return dict(response.json())


def test_all_other_classes_are_listed_nearest_first(live: Live, picture: bytes) -> None:
    """Their probabilities are those of /classify."""
    result = targets(live, picture)
    assert set(result) == {"model", "version", "original", "nearest", "passes"}
    predictions = classify(live, picture)
    assert result["original"]["label"] == predictions[0]["label"]
    probabilities = {entry["label"]: entry["probability"] for entry in predictions[1:]}
    assert {entry["label"]: entry["probability"] for entry in result["nearest"]} == pytest.approx(
        probabilities, abs=1e-4
    )
    distances = [entry["distance"] for entry in result["nearest"]]
    assert len(distances) == 3 and distances == sorted(distances) and distances[0] > 0
    assert all(set(entry) == {"label", "index", "probability", "distance"} for entry in result["nearest"])
    passes = result["passes"]
    assert 3 <= passes["backward"] <= 3 * 20 and passes["backward"] < passes["forward"] <= 1 + 3 * 21


def test_top_and_candidates_limit_the_list(live: Live, picture: bytes) -> None:
    """The most probable `candidates` (at least `top` of them) are measured, and the nearest `top` are returned."""
    all_targets = targets(live, picture)["nearest"]
    assert targets(live, picture, top=1)["nearest"] == [all_targets[0]]
    most_probable = max(all_targets, key=lambda entry: entry["probability"])["label"]
    assert [entry["label"] for entry in targets(live, picture, top=1, candidates=1)["nearest"]] == [most_probable]
    assert len(targets(live, picture, top=2, candidates=1)["nearest"]) == 2
    assert len(targets(live, picture, top=50, candidates=50)["nearest"]) == 3


def test_an_infinite_distance_is_null(live: Live, picture: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """JSON has no infinity. The logits are made constant, so no change reaches another class."""
    classifier = live.service.registry.get("tiny").classifier
    original = classifier._logits

    def constant(pixels: Tensor, network: Function) -> Tensor:
        return original(pixels, network) * 0 + original(0 * pixels[:1], network).detach()

    monkeypatch.setattr(classifier, "_logits", constant)
    response = post(live, "/adversarial/targets", picture)
    assert response.status_code == 200
    assert json.loads(response.text)["nearest"][0]["distance"] is None

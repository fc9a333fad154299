"""Tests GET /models and GET /models/{name}."""

from pathlib import Path

from models import checkpoint
from tests.app.live_service import TINY, Live, lively_network, serve


def test_served_models_are_listed(live: Live) -> None:
    body = live.client.get("/models").json()
    assert body["default"] == "tiny" and body["device"] == "cpu"
    (tiny,) = body["models"]
    assert tiny == {
        "name": "tiny",
        "state": "ready",
        "problem": None,
        "architecture": "mobilenet_v3_small",
        "classes": 4,
        "input_size": 64,
        "accuracy": 0.25,
        "balanced_accuracy": None,
    }


def test_the_details_of_one_model(live: Live) -> None:
    body = live.client.get("/models/tiny").json()
    assert body["class_names"] == ["cat", "dog", "Siamese cat", "sea_lion"]
    assert (body["metrics"], body["provenance"]) == ({"accuracy": 0.25}, {"recipe": {"seed": 0}})
    assert body["preprocessing"]["resize"] == 72
    assert live.client.get("/models/nobody").status_code == 404
    assert live.client.get("/models/").status_code == 422


def test_a_model_that_cannot_be_loaded_does_not_stop_the_others(checkpoints: Path) -> None:
    """Requests for it get 503 with the reason; the other models are served, and the service counts as ready."""
    with serve(checkpoints=checkpoints, models=("tiny", "lost", "imagenet/nothing")) as live:
        states = {model["name"]: model["state"] for model in live.client.get("/models").json()["models"]}
        assert states == {"tiny": "ready", "lost": "failed", "imagenet/nothing": "failed"}
        response = live.client.get("/ideal/cat?model=lost")
        assert response.status_code == 503 and "no checkpoint 'lost'" in response.json()["detail"]
        assert live.client.get("/models/imagenet/nothing").status_code == 503
        assert live.client.get("/ideal/cat?steps=1&crops=1").status_code == 200
        assert live.client.get("/health/ready").status_code == 200


def test_balanced_accuracy_is_computed_for_files_without_it(tmp_path: Path) -> None:
    """From the counts per class it is (9/10 + 1/2) / 2 = 0.7; a stored value is returned as it is."""
    counts = {"cat": {"photos": 10, "correct": 9}, "dog": {"photos": 2, "correct": 1}, "sea_lion": {"photos": 0}}
    counts["sea_lion"]["correct"] = 0
    for name, metrics in (("old", {"per_class": counts}), ("new", {"per_class": counts, "balanced_accuracy": 0.25})):
        checkpoint.save(tmp_path / f"{name}.safetensors", lively_network(), TINY, {"metrics": metrics})
    with serve(checkpoints=tmp_path, models=("old", "new")) as live:
        body = {model["name"]: model["balanced_accuracy"] for model in live.client.get("/models").json()["models"]}
        assert body == {"old": 0.7, "new": 0.25}
        assert live.client.get("/models/old").json()["balanced_accuracy"] == 0.7

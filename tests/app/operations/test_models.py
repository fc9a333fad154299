"""GET /models and GET /models/{name}."""

from pathlib import Path

from models import checkpoint
from tests.app.live_service import TINY, Live, lively_network, serve


def test_what_is_served(live: Live) -> None:
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


def test_all_about_one(live: Live) -> None:
    body = live.client.get("/models/tiny").json()
    assert body["class_names"] == ["cat", "dog", "Siamese cat", "sea_lion"]
    assert (body["metrics"], body["provenance"]) == ({"accuracy": 0.25}, {"recipe": {"seed": 0}})
    assert body["preprocessing"]["resize"] == 72
    assert live.client.get("/models/nobody").status_code == 404
    assert live.client.get("/models/").status_code == 422


def test_a_model_that_cannot_be_loaded_does_not_stop_the_others(checkpoints: Path) -> None:
    """Its requests get 503 with the reason; the others' are served, and the service counts as ready."""
    with serve(checkpoints=checkpoints, models=("tiny", "lost", "imagenet/nothing")) as live:
        states = {model["name"]: model["state"] for model in live.client.get("/models").json()["models"]}
        assert states == {"tiny": "ready", "lost": "failed", "imagenet/nothing": "failed"}
        answer = live.client.get("/ideal/cat?model=lost")
        assert answer.status_code == 503 and "no checkpoint 'lost'" in answer.json()["detail"]
        assert live.client.get("/models/imagenet/nothing").status_code == 503
        assert live.client.get("/ideal/cat?steps=1&crops=1").status_code == 200
        assert live.client.get("/health/ready").status_code == 200


def test_balanced_accuracy_of_files_that_do_not_have_it(tmp_path: Path) -> None:
    """Computed from the counts of each class, (9/10 + 1/2) / 2, unless the file has it."""
    counts = {"cat": {"photos": 10, "correct": 9}, "dog": {"photos": 2, "correct": 1}, "sea_lion": {"photos": 0}}
    counts["sea_lion"]["correct"] = 0
    for name, metrics in (("old", {"per_class": counts}), ("new", {"per_class": counts, "balanced_accuracy": 0.25})):
        checkpoint.save(tmp_path / f"{name}.safetensors", lively_network(), TINY, {"metrics": metrics})
    with serve(checkpoints=tmp_path, models=("old", "new")) as live:
        body = {model["name"]: model["balanced_accuracy"] for model in live.client.get("/models").json()["models"]}
        assert body == {"old": 0.7, "new": 0.25}
        assert live.client.get("/models/old").json()["balanced_accuracy"] == 0.7

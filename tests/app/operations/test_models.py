"""Tests GET /models and GET /models/{name}."""

from dataclasses import replace
from pathlib import Path

from torchvision.models import MobileNet_V2_Weights

from models import architectures, checkpoint
from tests.app.live_service import TINY, Live, lively_network, serve


def test_served_models_are_listed(live: Live) -> None:
    body = live.client.get("/models").json()
    assert body["default"] == "tiny" and body["device"] == "cpu"
    (tiny,) = body["models"]
    assert tiny.pop("version") == live.service.registry.get("tiny").digest[:12]
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
    assert (body["synonyms"], body["card"]) == ([], True)
    assert live.client.get("/models/nobody").status_code == 404
    assert live.client.get("/models/").status_code == 422


def test_an_imagenet_model_has_synonyms(tmp_path: Path) -> None:
    """One list per class; every name in it, as a target, means this class. This checkpoint has no model card."""
    classes = tuple(MobileNet_V2_Weights.DEFAULT.meta["categories"])
    spec = replace(TINY, classes=classes)
    network = architectures.build(spec.architecture, len(classes))
    checkpoint.save(tmp_path / "things.safetensors", network, spec, {})
    with serve(checkpoints=tmp_path) as live:
        body = live.client.get("/models/things").json()
        assert len(body["synonyms"]) == 1000
        assert body["synonyms"][0] == ["Tinca tinca"]
        assert body["synonyms"][292] == ["Panthera tigris"]  # `tiger` is the class's own name
        assert body["card"] is False


def test_the_card_is_returned_as_a_markdown_file(live: Live, checkpoints: Path) -> None:
    """Byte for byte the file beside the checkpoint; HEAD has the same headers."""
    response = live.client.get("/models/tiny/card")
    assert response.status_code == 200
    assert response.content == (checkpoints / "tiny.md").read_bytes()
    assert response.headers["Content-Type"] == "text/markdown; charset=utf-8"
    assert response.headers["Content-Disposition"] == "attachment; filename=\"tiny.md\"; filename*=UTF-8''tiny.md"
    head = live.client.head("/models/tiny/card")
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["Content-Length"] == response.headers["Content-Length"]


def test_a_card_of_a_name_in_another_script(tmp_path: Path) -> None:
    """Old clients get underscores, and others the name itself. In the path it is percent-encoded."""
    checkpoint.save(tmp_path / "Kätzchen 2.safetensors", lively_network(), TINY, {})
    (tmp_path / "Kätzchen 2.md").write_text("# Kätzchen", encoding="utf-8")
    with serve(checkpoints=tmp_path) as live:
        response = live.client.get("/models/Kätzchen 2/card")
        assert (response.status_code, response.text) == (200, "# Kätzchen")
        assert response.headers["Content-Disposition"] == (
            "attachment; filename=\"K_tzchen_2.md\"; filename*=UTF-8''K%C3%A4tzchen%202.md"
        )


def test_a_missing_card_and_an_unknown_model_are_problems(checkpoints: Path, tmp_path: Path) -> None:
    """No path leads out of the folder of the checkpoints, although there is a file at it."""
    (tmp_path / "outside.md").write_text("its content")
    folder = tmp_path / "checkpoints"
    folder.mkdir()
    (folder / "bare.safetensors").symlink_to(checkpoints / "tiny.safetensors")
    with serve(checkpoints=folder) as live:
        response = live.client.get("/models/bare/card")
        assert (response.status_code, response.headers["Content-Type"]) == (404, "application/problem+json")
        assert response.json()["type"] == "urn:mirage:problem:no-card"
        assert "writes one beside each checkpoint" in response.json()["detail"]
        assert "models of torchvision have none" in response.json()["detail"]
        for name in ("nobody", "..%2Foutside", "../outside", "%2e%2e/outside", "imagenet/resnet18"):
            response = live.client.get(f"/models/{name}/card")
            assert response.status_code == 404 and "its content" not in response.text


def test_a_card_needs_the_key(checkpoints: Path) -> None:
    with serve(checkpoints=checkpoints, api_keys=("k" * 16,)) as live:
        assert live.client.get("/models/tiny/card").status_code == 401
        assert live.client.get("/models/tiny/card", headers={"X-API-Key": "k" * 16}).status_code == 200


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

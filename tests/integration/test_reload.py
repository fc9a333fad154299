"""Checkpoints are replaced while requests run: no request is lost, and each is answered by one version."""

import itertools
import os
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path
from threading import Event

import httpx
import pytest

from models import store
from models.pictures import encode
from models.store import Model
from tests.app.engine.constant_models import probability_of_cat, save_constant
from tests.app.live_service import Live, drawn, eventually, serve

LOGITS = (1.0, 2.0, 4.0)
CLIENTS = 4
SWAPS = 6


def versions(folder: Path) -> dict[str, float]:
    """The probability of the class cat by version; writes a file 0.safetensors, 1.safetensors, ... for each logit."""
    known = {}
    for number, logit in enumerate(LOGITS):
        save_constant(folder / f"{number}.safetensors", logit)
        known[store.load(str(number), folder=folder).version] = probability_of_cat(logit)
    assert len(known) == len(LOGITS)
    return known


def classify(client: httpx.Client) -> list[tuple[str, float]]:
    """Versions and probabilities of a picture, and of three pictures in one request."""
    image = encode(drawn(40, 60))
    single = client.post("/classify", files={"image": image})
    batch = client.post("/classify/batch", files=[("image", image)] * 3)
    assert single.status_code == batch.status_code == 200, (single.text, batch.text)
    results = [single.json(), *batch.json()["results"]]
    assert all(result["version"] == batch.json()["version"] for result in batch.json()["results"])
    return [
        (result["version"], prediction["probability"])
        for result in results
        for prediction in result["predictions"]
        if prediction["label"] == "cat"
    ]


def is_replaced(live: Live, model: Model, clients: list[Future[None]]) -> bool:
    """Whether another version is served, or a client has failed."""
    return live.service.registry.get() is not model or any(client.done() for client in clients)


def test_every_request_is_answered_by_the_version_that_it_names(tmp_path: Path) -> None:
    """The probabilities of each version are known from its logit."""
    spare, served = tmp_path / "spare", tmp_path / "served"
    served.mkdir()
    known = versions(spare)
    os.link(spare / "0.safetensors", served / "model.safetensors")
    done, answers = Event(), list[tuple[str, float]]()
    with serve(checkpoints=served, reload_s=0.01) as live, ThreadPoolExecutor(CLIENTS) as pool:

        def ask_until_done() -> None:
            with httpx.Client(base_url=live.url, timeout=120) as client:
                while not done.is_set():
                    answers.extend(classify(client))

        clients = [pool.submit(ask_until_done) for _ in range(CLIENTS)]
        try:
            for number in itertools.islice(itertools.cycle((1, 2, 0)), SWAPS):
                before = live.service.registry.get()
                os.link(spare / f"{number}.safetensors", served / ".next")
                (served / ".next").replace(served / "model.safetensors")
                eventually(partial(is_replaced, live, before, clients))
                assert live.client.get("/health/ready").status_code == 200
        finally:
            done.set()
        for client in clients:
            client.result(60)
    assert {version for version, _ in answers} == set(known)
    for version, probability in answers:
        assert probability == pytest.approx(known[version], abs=1e-6)


def test_the_list_of_models_follows_the_folder(tmp_path: Path) -> None:
    """A refused file, another model, and one that has gone; the OpenAPI document names the classes of the default."""
    save_constant(tmp_path / "model.safetensors", 1.0)
    with serve(checkpoints=tmp_path, reload_s=0.01) as live:

        def models() -> dict[str, dict[str, object]]:
            return {model["name"]: model for model in live.client.get("/models").json()["models"]}

        version = models()["model"]["version"]
        (tmp_path / "model.safetensors").write_bytes(b"damaged")
        eventually(lambda: models()["model"]["problem"] is not None)
        assert models()["model"]["state"] == "ready" and models()["model"]["version"] == version
        assert "a newer file was refused: model.safetensors is no safetensors file" in str(models()["model"]["problem"])
        assert live.client.get("/models/model").json()["problem"] == models()["model"]["problem"]
        save_constant(tmp_path / "model.safetensors", 2.0, classes=("ant", "bee"))
        eventually(lambda: models()["model"]["version"] != version)
        assert models()["model"]["problem"] is None
        parameters = live.client.get("/openapi.json").json()["paths"]["/ideal/{class}"]["get"]["parameters"]
        assert next(each["example"] for each in parameters if each["name"] == "class") == "ant"
        save_constant(tmp_path / "another.safetensors", 1.0)
        eventually(lambda: models().get("another", {}).get("state") == "ready")
        assert live.client.get("/models").json()["default"] == "model"
        (tmp_path / "another.safetensors").unlink()
        eventually(lambda: "another" not in models())
        response = live.client.post("/classify?model=another", files={"image": encode(drawn(40, 60))})
        assert response.status_code == 404 and "similar names: model" in response.json()["detail"]


def test_a_new_version_has_another_entity_tag(tmp_path: Path) -> None:
    """A client that has stored the ideal picture of the old version gets that of the new one."""
    save_constant(tmp_path / "model.safetensors", 1.0)
    with serve(checkpoints=tmp_path, reload_s=0.01) as live:
        path = "/ideal/cat?steps=1&crops=1&size=32&format=json"
        first = live.client.get(path)
        assert first.status_code == 200
        headers = {"If-None-Match": first.headers["ETag"]}
        assert live.client.get(path, headers=headers).status_code == 304
        before = live.service.registry.get()
        save_constant(tmp_path / "model.safetensors", 2.0)
        eventually(lambda: live.service.registry.get() is not before)
        second = live.client.get(path, headers=headers)
        assert second.status_code == 200 and second.headers["ETag"] != first.headers["ETag"]

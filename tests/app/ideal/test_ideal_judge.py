"""The judge in responses of GET /ideal."""

import io
import json

import pytest
from PIL import Image

from tests.app.ideal.ideal_requests import FAST, get_json
from tests.app.live_service import Live


def test_another_model_that_knows_the_class_is_asked(two: Live) -> None:
    """`strange` does not know it, `other` does, under another index; it says of the file what /classify says."""
    response = two.client.get("/ideal/cat", params=FAST)
    transfer = json.loads(Image.open(io.BytesIO(response.content)).text["mirage"])["score"]["transfer"]
    predictions = two.client.post("/classify?model=other", files={"image": response.content}).json()["predictions"]
    assert transfer["model"] == "other" and transfer["label"] == predictions[0]["label"]
    (place,) = [number for number, each in enumerate(predictions) if each["label"] == "CAT"]
    assert transfer["rank"] == place + 1
    assert transfer["probability"] == pytest.approx(predictions[place]["probability"], abs=1e-5)


def test_what_the_judge_could_not_be_asked_is_not_kept(two: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    """The drawing is not lost; the next asker gets all of it."""
    other = two.service.registry.get("other").classifier
    params = {**FAST, "seed": 77}
    with monkeypatch.context() as patch:
        patch.setattr(other, "answer", lambda _: 1 / 0)
        poor = two.client.get("/ideal/cat", params={**params, "format": "json"})
    assert poor.status_code == 200 and poor.json()["score"]["transfer"] is None
    assert "ETag" not in poor.headers and poor.headers["Cache-Control"] == "no-store"
    whole = two.client.get("/ideal/cat", params={**params, "format": "json"})
    assert whole.json()["score"]["transfer"]["model"] == "other" and "ETag" in whole.headers
    assert whole.json()["image"] == poor.json()["image"]


def test_a_judge_of_ones_choice(two: Live) -> None:
    assert get_json(two, "/ideal/a", model="strange")["score"]["transfer"] is None
    assert get_json(two, "/ideal/cat", model="other", judge="tiny")["score"]["transfer"]["model"] == "tiny"
    for params, status, detail in (
        ({"judge": "strange"}, 404, "cat"),
        ({"judge": "nobody"}, 404, "similar names"),
        ({"judge": "tiny"}, 422, "name another"),
    ):
        response = two.client.get("/ideal/cat", params={**FAST, **params})
        assert response.status_code == status and detail in response.json()["detail"]
    response = two.client.get("/ideal", params={"layer": "features.3", "channel": 0, "judge": "other"})
    assert response.status_code == 422 and "judge" in response.json()["detail"]

"""Tests the judge, another model whose prediction is part of the response of GET /ideal."""

import io
import json

import pytest
from PIL import Image

from tests.app.ideal.ideal_requests import FAST, get_json
from tests.app.live_service import Live


def test_the_judge_is_another_model_that_has_the_class(two: Live) -> None:
    """`other` has the class under another index, `strange` does not; the prediction is that of /classify."""
    response = two.client.get("/ideal/cat", params=FAST)
    transfer = json.loads(Image.open(io.BytesIO(response.content)).text["mirage"])["score"]["transfer"]
    predictions = two.client.post("/classify?model=other", files={"image": response.content}).json()["predictions"]
    assert transfer["model"] == "other" and transfer["label"] == predictions[0]["label"]
    (place,) = [number for number, prediction in enumerate(predictions) if prediction["label"] == "CAT"]
    assert transfer["rank"] == place + 1
    assert transfer["probability"] == pytest.approx(predictions[place]["probability"], abs=1e-5)


def test_a_response_without_its_judge_is_not_stored(two: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    """The picture is returned although the judge failed, and the next request has the prediction of the judge."""
    other = two.service.registry.get("other").classifier
    params = {**FAST, "seed": 77}
    with monkeypatch.context() as patch:
        patch.setattr(other, "answer", lambda _: 1 / 0)
        without_judge = two.client.get("/ideal/cat", params={**params, "format": "json"})
    assert without_judge.status_code == 200 and without_judge.json()["score"]["transfer"] is None
    assert "ETag" not in without_judge.headers and without_judge.headers["Cache-Control"] == "no-store"
    with_judge = two.client.get("/ideal/cat", params={**params, "format": "json"})
    assert with_judge.json()["score"]["transfer"]["model"] == "other" and "ETag" in with_judge.headers
    assert with_judge.json()["image"] == without_judge.json()["image"]


def test_the_judge_can_be_chosen(two: Live) -> None:
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

"""Tests which requests POST /adversarial/curve and POST /adversarial/targets refuse."""

import pytest

from models.pictures import encode
from tests.app.live_service import Live, drawn
from tests.app.picture_requests import classify, post


@pytest.mark.parametrize(
    ("operation", "fields", "status", "detail"),
    [
        ("curve", {"norms": "l3"}, 422, "norms.0: "),
        ("curve", {"norms": "l2,"}, 422, "norms.1: "),
        ("curve", {"norms": "l2,l2,l2,l2,l2"}, 422, "norms: "),
        ("curve", {"norm": "l0"}, 422, "norm: "),
        ("curve", {"norm": "l3"}, 422, "norm: "),
        ("curve", {"steps": "0"}, 422, "steps: "),
        ("curve", {"steps": "1000000000"}, 422, "steps: "),
        ("curve", {"steps": "nan"}, 422, "steps: "),
        ("curve", {"seed": "-1"}, 422, "seed: "),
        ("curve", {"seed": "99999999999999999999"}, 422, "seed: "),
        ("curve", {"deadline_s": "0"}, 422, "deadline_s: "),
        ("curve", {"deadline_s": "inf"}, 422, "deadline_s: "),
        ("curve", {"target": "unicorn"}, 404, "no class is called 'unicorn'"),
        ("curve", {"target": "99"}, 404, "the indices are 0 to 3"),
        ("curve", {"model": "x"}, 404, "is served here"),
        ("curve", {"epsilon": "0.1"}, 422, "epsilon: there is no option"),
        ("targets", {"top": "0"}, 422, "top: "),
        ("targets", {"top": "51"}, 422, "top: "),
        ("targets", {"top": "many"}, 422, "top: "),
        ("targets", {"candidates": "0"}, 422, "candidates: "),
        ("targets", {"candidates": "51"}, 422, "candidates: "),
        ("targets", {"model": "x"}, 404, "is served here"),
        ("targets", {"target": "cat"}, 422, "target: there is no option"),
    ],
)
def test_the_message_names_the_bad_option(
    live: Live, picture: bytes, operation: str, fields: dict[str, str], status: int, detail: str
) -> None:
    response = post(live, f"/adversarial/{operation}", picture, **fields)
    assert (response.status_code, response.headers["Content-Type"]) == (status, "application/problem+json")
    assert detail in response.json()["detail"]


def test_the_predicted_class_is_refused_as_target(live: Live, picture: bytes) -> None:
    label = classify(live, picture)[0]["label"]
    response = post(live, "/adversarial/curve", picture, target=label)
    assert (response.status_code, response.headers["Content-Type"]) == (422, "application/problem+json")
    assert "choose another target" in response.json()["detail"]


@pytest.mark.parametrize("path", ["curve", "targets"])
def test_broken_and_missing_pictures_are_refused(live: Live, path: str) -> None:
    for content, status in ((b"junk", 415), (encode(drawn())[:3000], 422)):
        response = post(live, f"/adversarial/{path}", content)
        assert (response.status_code, response.headers["Content-Type"]) == (status, "application/problem+json")
    response = live.client.post(f"/adversarial/{path}", data={"model": "tiny"})
    assert response.status_code == 422 and "image: " in response.json()["detail"]


@pytest.mark.parametrize("path", ["curve", "targets"])
def test_the_model_may_be_given_in_the_query(live: Live, picture: bytes, path: str) -> None:
    for address, status in (("?model=tiny", 200), ("?model=lost", 404), ("?bogus=1", 422)):
        data = {"steps": "1", "norms": "l1"} if path == "curve" else {}
        response = live.client.post(f"/adversarial/{path}{address}", files={"image": picture}, data=data)
        assert response.status_code == status

"""Tests which requests POST /adversarial refuses, and the messages."""

import pytest

from models.pictures import encode
from tests.app.live_service import Live, drawn
from tests.app.picture_requests import fool


@pytest.mark.parametrize(
    ("fields", "status", "detail"),
    [
        ({"epsilon": "-0.1"}, 422, "epsilon: "),
        ({"epsilon": "0"}, 422, "epsilon"),
        ({"epsilon": "nan"}, 422, "epsilon: "),
        ({"epsilon": "1/0"}, 422, "epsilon: "),
        ({"epsilon": "a/b"}, 422, "epsilon: "),
        ({"epsilon": "0.001"}, 422, "1/255"),
        ({"epsilon": "0.00392"}, 422, "1/255"),
        ({"steps": "1000000000"}, 422, "steps: "),
        ({"steps": "0"}, 422, "steps: "),
        ({"seed": "99999999999999999999"}, 422, "seed: "),
        ({"attack": "magic"}, 422, "choose one of auto, fgsm"),
        ({"attack": "fgsm", "steps": "3"}, 422, "fgsm takes no steps"),
        ({"norm": "l7"}, 422, "norm: "),
        ({"deadline_s": "0"}, 422, "deadline_s: "),
        ({"target": "unicorn"}, 404, "no class is called"),
        ({"target": "99"}, 404, "the indices are 0 to 3"),
        ({"model": "x"}, 404, "is served here"),
        ({"epsilonn": "0.1"}, 422, "epsilonn: "),
    ],
)
def test_options_out_of_range_are_refused(
    live: Live, picture: bytes, fields: dict[str, str], status: int, detail: str
) -> None:
    response = live.client.post("/adversarial", files={"image": picture}, data=fields)
    assert (response.status_code, response.headers["Content-Type"]) == (status, "application/problem+json")
    assert detail in response.json()["detail"]


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"epsilon": "-0.1"}, "epsilon"),
        ({"steps": str(10**9)}, "Input should be less than or equal to 1000"),
        ({"target": "nan"}, "no class is called 'nan'"),
        ({"attack": "ddn", "norm": "linf"}, "ddn works in l2, not in 'linf'"),
        ({"attack": "ddn", "epsilon": "0.1"}, "ddn takes no epsilon"),
        ({"confidence": "nan"}, "confidence"),
        ({"confidence": "-1"}, "confidence"),
        ({"survive": "gif"}, "survive takes png, none, jpeg:Q"),
        ({"survive": "jpeg:0"}, "survive takes"),
        ({"survive": "resize:nan"}, "survive takes"),
        ({"box": "1,2,3"}, "left,top,width,height in pixels"),
        ({"box": "0,0,1000,10"}, "does not lie in a picture of 128 x 96"),
        ({"box": "-1,0,10,10"}, "left,top,width,height in pixels"),
        ({"attack": "patch", "box": "0,0,10,10"}, "patch chooses its own pixels"),
        ({"loss": "hinge", "attack": "apgd"}, "choose one of ce, dlr, dlr_targeted"),
        ({"norm": "l3"}, "norm"),
        ({"nonsense": "1"}, "nonsense: there is no option of this name"),
    ],
)
def test_the_message_names_the_bad_option(live: Live, picture: bytes, fields: dict[str, str], reason: str) -> None:
    response = live.client.post("/adversarial", files={"image": picture}, data=fields)
    assert response.status_code == (404 if "target" in fields else 422)
    assert reason in response.json()["detail"]


def test_the_predicted_class_is_refused_as_target(live: Live, picture: bytes) -> None:
    label = fool(live, picture, steps=1)["original"]["label"]
    response = live.client.post("/adversarial", files={"image": picture}, data={"target": label})
    assert response.status_code == 422 and "choose another target" in response.json()["detail"]


def test_broken_and_missing_pictures_are_refused(live: Live) -> None:
    for content, status in ((b"junk", 415), (encode(drawn())[:3000], 422)):
        assert live.client.post("/adversarial", files={"image": content}).status_code == status
    response = live.client.post("/adversarial", data={"epsilon": "0.1"})
    assert response.status_code == 422 and "image: " in response.json()["detail"]

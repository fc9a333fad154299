"""POST /adversarial/curve over HTTP."""

import pytest

from models.attacks.curve import LEVELS
from models.pictures import decode, encode
from tests.app.events import events
from tests.app.live_service import Live, drawn
from tests.app.picture_requests import classify, fool, pixels, post, post_for_json

QUICK = {"steps": "3", "norms": "l2", "norm": "linf"}


def test_every_field_of_a_curve(live: Live, picture: bytes) -> None:
    """All norms, with figures that /adversarial tells as well."""
    result = post_for_json(live, "/adversarial/curve", picture, norm="linf", steps=5)
    assert set(result) == {
        "model", "original", "target", "smallest", "norm", "points", "image", "passes", "stopped", "seconds",
    }  # fmt: skip
    assert (result["model"], result["norm"], result["target"], result["stopped"]) == ("tiny", "linf", None, False)
    assert list(result["smallest"]) == ["linf", "l2", "l1", "l0"]
    for norm, each in result["smallest"].items():
        alone = fool(live, picture, attack="auto", norm=norm, steps=5)
        assert (each["success"], each["label"]) == (alone["success"], alone["adversarial"]["label"])
        assert each["norms"][norm] == pytest.approx(alone["norms"][norm], rel=1e-6)
    assert [round(255 * point["epsilon"], 6) for point in result["points"]] == [0, *LEVELS]
    for point in result["points"]:
        assert set(point) == {"epsilon", "original", "goal", "success"}
        assert point["original"] + point["goal"] == pytest.approx(1)
    prediction = classify(live, picture)[0]
    assert result["original"]["label"] == prediction["label"]
    assert result["points"][0]["original"] == pytest.approx(prediction["probability"], abs=1e-4)
    shown = pixels(result["image"])
    assert shown.shape[0] == 3 and min(shown.shape[1:]) >= 300
    assert result["passes"]["forward"] > result["passes"]["backward"] > 8 * 5


def test_a_point_is_an_attack_of_its_own(live: Live, picture: bytes) -> None:
    result = post_for_json(live, "/adversarial/curve", picture, seed=7, **QUICK)
    alone = fool(live, picture, attack="pgd", norm="linf", epsilon="3/255", steps=3, seed=7)
    (point,) = [each for each in result["points"] if round(255 * each["epsilon"]) == 3]
    assert point["success"] is alone["success"]
    assert point["original"] == pytest.approx(alone["probabilities"]["original"]["after"], abs=1e-4)
    assert post_for_json(live, "/adversarial/curve", picture, seed=8, **QUICK)["points"] != result["points"]


def test_the_curve_towards_a_target(live: Live, picture: bytes) -> None:
    """The goal is its probability: at the last point that of an attack which has won."""
    present = classify(live, picture)[0]["label"]
    target = next(label for label in ("dog", "cat") if label != present)
    result = post_for_json(live, "/adversarial/curve", picture, target=target, norm="l2", norms="l2,linf", steps=12)
    assert result["target"] == {"label": target, "index": ["cat", "dog"].index(target)}
    assert list(result["smallest"]) == ["l2", "linf"]
    assert result["smallest"]["l2"]["label"] == target
    assert result["points"][-1]["success"] and result["points"][-1]["goal"] > result["points"][0]["goal"]
    assert result["points"][-1]["epsilon"] == pytest.approx(3 * result["smallest"]["l2"]["norms"]["l2"])


def test_the_plot_is_the_picture(live: Live, picture: bytes) -> None:
    """With its figures in the file; the same as in the JSON."""
    response = post(live, "/adversarial/curve", picture, **QUICK)
    assert response.headers["Content-Type"] == "image/png"
    assert response.headers["X-Mirage-Model"] == "tiny"
    result = post_for_json(live, "/adversarial/curve", picture, **QUICK)
    assert (decode(response.content) == pixels(result["image"])).all()
    jpeg = post(live, "/adversarial/curve", picture, format="jpeg", **QUICK)
    assert jpeg.headers["Content-Type"] == "image/jpeg" and decode(jpeg.content).shape == decode(response.content).shape


def test_progress_counts_attacks_then_comes_the_result(live: Live, picture: bytes) -> None:
    """Two norms and eight budgets."""
    data = {"format": "events", **QUICK}
    with live.client.stream("POST", "/adversarial/curve", files={"image": picture}, data=data) as response:
        received = list(events(response.iter_lines()))
    assert [name for name, _ in received] == ["progress"] * 10 + ["result"]
    assert [(data["step"], data["steps"]) for _, data in received[:-1]] == [(count, 10) for count in range(1, 11)]
    assert len(received[-1][1]["points"]) == 9


def test_a_failure_midway_is_an_event(live: Live, picture: bytes) -> None:
    present = classify(live, picture)[0]["label"]
    data = {"format": "events", "target": present}
    with live.client.stream("POST", "/adversarial/curve", files={"image": picture}, data=data) as response:
        ((name, result),) = events(response.iter_lines())
    assert (name, result["status"], result["type"]) == ("problem", 422, "urn:mirage:problem:already-target")


def test_a_clients_deadline_gives_what_is_known(live: Live) -> None:
    """Two attacks of a thousand steps are not done; what has won until then is result."""
    result = post_for_json(live, "/adversarial/curve", encode(drawn(300, 300)), norms="l2", steps=1000, deadline_s=2)
    assert result["stopped"] is True
    assert len(result["points"]) == 1 and set(result["smallest"]) <= {"l2"}
    assert 0 < result["passes"]["backward"] < 2000

"""Tests POST /adversarial/curve over HTTP."""

import pytest

from models.attacks.curves.curve import LEVELS
from models.pictures import decode, encode
from tests.app.events import events
from tests.app.live_service import Live, drawn
from tests.app.picture_requests import classify, fool, pixels, post, post_for_json

QUICK = {"steps": "3", "norms": "l2", "norm": "linf"}


def test_the_fields_of_a_curve_agree_with_adversarial_and_classify(live: Live, picture: bytes) -> None:
    """The smallest changes of all norms are those of single requests to /adversarial, or smaller."""
    result = post_for_json(live, "/adversarial/curve", picture, norm="linf", steps=5)
    assert set(result) == {
        "model", "version", "original", "target", "effort", "smallest", "norm", "points", "image", "passes", "stopped",
        "seconds",
    }  # fmt: skip
    assert (result["model"], result["norm"], result["target"], result["stopped"]) == ("tiny", "linf", None, False)
    assert list(result["smallest"]) == ["linf", "l2", "l1", "l0"]
    for norm, smallest in result["smallest"].items():
        alone = fool(live, picture, attack="auto", norm=norm, steps=5)
        assert (smallest["success"], smallest["label"]) == (alone["success"], alone["adversarial"]["label"])
        assert smallest["norms"][norm] <= 1.01 * alone["norms"][norm]
    own_levels = round(255 * result["smallest"]["linf"]["norms"]["linf"], 6)
    assert {round(255 * point["epsilon"], 6) for point in result["points"]} == {0, *LEVELS, own_levels}
    for point in result["points"]:
        assert set(point) == {"epsilon", "original", "goal", "success", "size", "attack"}
        assert point["original"] + point["goal"] == pytest.approx(1)
    prediction = classify(live, picture)[0]
    assert result["original"]["label"] == prediction["label"]
    assert result["points"][0]["original"] == pytest.approx(prediction["probability"], abs=1e-4)
    plot = pixels(result["image"])
    assert plot.shape[0] == 3 and min(plot.shape[1:]) >= 300
    assert result["passes"]["forward"] > result["passes"]["backward"] > 8


def test_the_model_is_fooled_from_the_smallest_perturbation_on(live: Live, picture: bytes) -> None:
    result = post_for_json(live, "/adversarial/curve", picture, seed=7, norms="l2", norm="l2", steps=10)
    smallest = result["smallest"]["l2"]
    assert smallest["success"]
    for point in result["points"]:
        assert point["success"] is (point["epsilon"] >= smallest["norms"]["l2"])
        assert point["size"] <= point["epsilon"]
    assert smallest["norms"]["l2"] in [point["epsilon"] for point in result["points"]]


def test_a_targeted_curve_shows_the_probability_of_the_target(live: Live, picture: bytes) -> None:
    """The last budget is three times the smallest L2 change that succeeds, so the last point is a success."""
    predicted = classify(live, picture)[0]["label"]
    target = next(label for label in ("dog", "cat") if label != predicted)
    result = post_for_json(live, "/adversarial/curve", picture, target=target, norm="l2", norms="l2,linf", steps=12)
    assert result["target"] == {"label": target, "index": ["cat", "dog"].index(target)}
    assert list(result["smallest"]) == ["l2", "linf"]
    assert result["smallest"]["l2"]["label"] == target
    assert result["points"][-1]["success"] and result["points"][-1]["goal"] > result["points"][0]["goal"]
    # The budgets follow from the search for the smallest change; a search within one of them may find a smaller one.
    smallest = result["smallest"]["l2"]["norms"]["l2"]
    assert result["points"][-1]["epsilon"] == pytest.approx(3 * smallest, rel=0.05)


def test_the_picture_of_a_curve_is_its_plot(live: Live, picture: bytes) -> None:
    """The PNG equals the picture in the JSON response; a JPEG has the same size."""
    response = post(live, "/adversarial/curve", picture, **QUICK)
    assert response.headers["Content-Type"] == "image/png"
    assert response.headers["X-Mirage-Model"] == "tiny"
    result = post_for_json(live, "/adversarial/curve", picture, **QUICK)
    assert (decode(response.content) == pixels(result["image"])).all()
    jpeg = post(live, "/adversarial/curve", picture, format="jpeg", **QUICK)
    assert jpeg.headers["Content-Type"] == "image/jpeg" and decode(jpeg.content).shape == decode(response.content).shape


def test_progress_events_count_percent_and_are_followed_by_the_result(live: Live, picture: bytes) -> None:
    data = {"format": "events", **QUICK}
    with live.client.stream("POST", "/adversarial/curve", files={"image": picture}, data=data) as response:
        received = list(events(response.iter_lines()))
    *progress, (last, result) = received
    assert {name for name, _ in progress} == {"progress"} and last == "result"
    steps = [data["step"] for _, data in progress]
    assert steps == sorted(set(steps)) and steps[-1] == 100
    assert {data["steps"] for _, data in progress} == {100}
    assert len(result["points"]) >= 9


def test_a_failure_during_the_stream_is_an_event(live: Live, picture: bytes) -> None:
    present = classify(live, picture)[0]["label"]
    data = {"format": "events", "target": present}
    with live.client.stream("POST", "/adversarial/curve", files={"image": picture}, data=data) as response:
        ((name, result),) = events(response.iter_lines())
    assert (name, result["status"], result["type"]) == ("problem", 422, "urn:mirage:problem:already-target")


def test_at_the_deadline_of_a_client_the_finished_part_is_returned(live: Live) -> None:
    """The search of 1000 steps is not finished in time; only a success found until then is reported."""
    result = post_for_json(live, "/adversarial/curve", encode(drawn(300, 300)), norms="l2", steps=1000, deadline_s=2)
    assert result["stopped"] is True
    assert len(result["points"]) == 1 + len(result["smallest"]) and set(result["smallest"]) <= {"l2"}
    assert 0 < result["passes"]["backward"] < 2000

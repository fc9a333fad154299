"""POST /adversarial/curve and /adversarial/targets over HTTP."""

import json
from typing import Any

import httpx
import pytest

from models.attacks.curve import LEVELS
from models.pictures import decode, encode
from tests.app.adversarial.test_route import fool, pixels
from tests.app.events import events
from tests.app.live_service import Live, drawn

QUICK = {"steps": "3", "norms": "l2", "norm": "linf"}


def ask(live: Live, picture: bytes, path: str = "curve", **fields: object) -> httpx.Response:
    data = {key: str(value) for key, value in fields.items()}
    return live.client.post(f"/adversarial/{path}", files={"image": picture}, data=data)


def measured(live: Live, picture: bytes, path: str = "curve", **fields: object) -> dict[str, Any]:
    answer = ask(live, picture, path, **fields)
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    return told


def test_every_field_of_a_curve(live: Live, picture: bytes) -> None:
    """All norms, with figures that /adversarial tells as well."""
    told = measured(live, picture, norm="linf", steps=5, format="json")
    assert set(told) == {
        "model", "original", "target", "smallest", "norm", "points", "image", "passes", "stopped", "seconds",
    }  # fmt: skip
    assert (told["model"], told["norm"], told["target"], told["stopped"]) == ("tiny", "linf", None, False)
    assert list(told["smallest"]) == ["linf", "l2", "l1", "l0"]
    for norm, each in told["smallest"].items():
        alone = fool(live, picture, attack="auto", norm=norm, steps=5)
        assert (each["success"], each["label"]) == (alone["success"], alone["adversarial"]["label"])
        assert each["norms"][norm] == pytest.approx(alone["norms"][norm], rel=1e-6)
    assert [round(255 * point["epsilon"], 6) for point in told["points"]] == [0, *LEVELS]
    for point in told["points"]:
        assert set(point) == {"epsilon", "original", "goal", "success"}
        assert point["original"] + point["goal"] == pytest.approx(1)
    said = live.client.post("/classify", files={"image": picture}).json()["predictions"][0]
    assert told["original"]["label"] == said["label"]
    assert told["points"][0]["original"] == pytest.approx(said["probability"], abs=1e-4)
    shown = pixels(told["image"])
    assert shown.shape[0] == 3 and min(shown.shape[1:]) >= 300
    assert told["passes"]["forward"] > told["passes"]["backward"] > 8 * 5


def test_a_point_is_an_attack_of_its_own(live: Live, picture: bytes) -> None:
    told = measured(live, picture, seed=7, format="json", **QUICK)
    alone = fool(live, picture, attack="pgd", norm="linf", epsilon="3/255", steps=3, seed=7)
    (point,) = [each for each in told["points"] if round(255 * each["epsilon"]) == 3]
    assert point["success"] is alone["success"]
    assert point["original"] == pytest.approx(alone["probabilities"]["original"]["after"], abs=1e-4)
    assert measured(live, picture, seed=8, format="json", **QUICK)["points"] != told["points"]


def test_the_curve_towards_a_target(live: Live, picture: bytes) -> None:
    """The goal is its probability: at the last point that of an attack which has won."""
    present = live.client.post("/classify", files={"image": picture}).json()["predictions"][0]["label"]
    target = next(label for label in ("dog", "cat") if label != present)
    told = measured(live, picture, target=target, norm="l2", norms="l2,linf", steps=12, format="json")
    assert told["target"] == {"label": target, "index": ["cat", "dog"].index(target)}
    assert list(told["smallest"]) == ["l2", "linf"]
    assert told["smallest"]["l2"]["label"] == target
    assert told["points"][-1]["success"] and told["points"][-1]["goal"] > told["points"][0]["goal"]
    assert told["points"][-1]["epsilon"] == pytest.approx(3 * told["smallest"]["l2"]["norms"]["l2"])


def test_the_plot_is_the_picture(live: Live, picture: bytes) -> None:
    """With its figures in the file; the same as in the JSON."""
    answer = ask(live, picture, **QUICK)
    assert answer.headers["Content-Type"] == "image/png"
    assert answer.headers["X-Mirage-Model"] == "tiny"
    told = measured(live, picture, format="json", **QUICK)
    assert (decode(answer.content) == pixels(told["image"])).all()
    jpeg = ask(live, picture, format="jpeg", **QUICK)
    assert jpeg.headers["Content-Type"] == "image/jpeg" and decode(jpeg.content).shape == decode(answer.content).shape


def test_progress_counts_attacks_then_comes_the_result(live: Live, picture: bytes) -> None:
    """Two norms and eight budgets."""
    data = {"format": "events", **QUICK}
    with live.client.stream("POST", "/adversarial/curve", files={"image": picture}, data=data) as answer:
        heard = list(events(answer.iter_lines()))
    assert [name for name, _ in heard] == ["progress"] * 10 + ["result"]
    assert [(said["step"], said["steps"]) for _, said in heard[:-1]] == [(count, 10) for count in range(1, 11)]
    assert len(heard[-1][1]["points"]) == 9


def test_a_failure_midway_is_an_event(live: Live, picture: bytes) -> None:
    present = live.client.post("/classify", files={"image": picture}).json()["predictions"][0]["label"]
    data = {"format": "events", "target": present}
    with live.client.stream("POST", "/adversarial/curve", files={"image": picture}, data=data) as answer:
        ((name, told),) = events(answer.iter_lines())
    assert (name, told["status"], told["type"]) == ("problem", 422, "urn:mirage:problem:already-target")


def test_a_clients_deadline_gives_what_is_known(live: Live) -> None:
    """Two attacks of a thousand steps are not done; what has won until then is told."""
    told = measured(live, encode(drawn(300, 300)), norms="l2", steps=1000, deadline_s=2, format="json")
    assert told["stopped"] is True
    assert len(told["points"]) == 1 and set(told["smallest"]) <= {"l2"}
    assert 0 < told["passes"]["backward"] < 2000


@pytest.mark.parametrize(
    ("operation", "fields", "status", "detail"),
    [
        ("curve", {"norms": "l3"}, 422, "norms.0: "),
        ("curve", {"norms": ""}, 422, "norms"),
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
def test_hostile_options(
    live: Live, picture: bytes, operation: str, fields: dict[str, str], status: int, detail: str
) -> None:
    answer = ask(live, picture, operation, **fields)
    assert (answer.status_code, answer.headers["Content-Type"]) == (status, "application/problem+json")
    assert detail in answer.json()["detail"]


def test_the_present_class_is_no_target(live: Live, picture: bytes) -> None:
    present = live.client.post("/classify", files={"image": picture}).json()["predictions"][0]["label"]
    answer = ask(live, picture, target=present)
    assert (answer.status_code, answer.headers["Content-Type"]) == (422, "application/problem+json")
    assert "choose another target" in answer.json()["detail"]


@pytest.mark.parametrize("path", ["curve", "targets"])
def test_broken_pictures_and_missing_ones(live: Live, path: str) -> None:
    for content, status in ((b"junk", 415), (encode(drawn())[:3000], 422)):
        answer = ask(live, content, path)
        assert (answer.status_code, answer.headers["Content-Type"]) == (status, "application/problem+json")
    answer = live.client.post(f"/adversarial/{path}", data={"model": "tiny"})
    assert answer.status_code == 422 and "image: " in answer.json()["detail"]


@pytest.mark.parametrize("path", ["curve", "targets"])
def test_the_model_may_stand_in_the_address(live: Live, picture: bytes, path: str) -> None:
    for address, status in (("?model=tiny", 200), ("?model=lost", 404), ("?bogus=1", 422)):
        data = {"steps": "1", "norms": "l1"} if path == "curve" else {}
        answer = live.client.post(f"/adversarial/{path}{address}", files={"image": picture}, data=data)
        assert answer.status_code == status


def test_the_nearest_classes(live: Live, picture: bytes) -> None:
    """All others there are, nearest first, with /classify's probabilities; the nearest is within reach of DDN."""
    told = measured(live, picture, "targets")
    assert set(told) == {"model", "original", "nearest", "passes"}
    ranked = live.client.post("/classify", files={"image": picture}).json()["predictions"]
    assert told["original"]["label"] == ranked[0]["label"]
    probabilities = {each["label"]: each["probability"] for each in ranked[1:]}
    assert {each["label"]: each["probability"] for each in told["nearest"]} == pytest.approx(probabilities, abs=1e-4)
    distances = [each["distance"] for each in told["nearest"]]
    assert len(distances) == 3 and distances == sorted(distances) and distances[0] > 0
    assert all(set(each) == {"label", "index", "probability", "distance"} for each in told["nearest"])
    passes = told["passes"]
    assert 3 <= passes["backward"] <= 3 * 20 and passes["backward"] < passes["forward"] <= 1 + 3 * 21


def test_as_many_as_are_asked_for(live: Live, picture: bytes) -> None:
    """`top` of the `candidates` that are measured, which are the most probable; no fewer are measured than told."""
    every = measured(live, picture, "targets")["nearest"]
    assert measured(live, picture, "targets", top=1)["nearest"] == [every[0]]
    likeliest = max(every, key=lambda each: each["probability"])["label"]
    assert [each["label"] for each in measured(live, picture, "targets", top=1, candidates=1)["nearest"]] == [likeliest]
    assert len(measured(live, picture, "targets", top=2, candidates=1)["nearest"]) == 2
    assert len(measured(live, picture, "targets", top=50, candidates=50)["nearest"]) == 3


def test_a_class_without_a_way_has_no_distance(live: Live, picture: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """JSON has no infinity: null. Where the network is flat no step leads anywhere."""
    classifier = live.service.registry.get("tiny").classifier
    honest = classifier.logits
    monkeypatch.setattr(classifier, "logits", lambda pixels: honest(pixels) * 0 + honest(0 * pixels[:1]).detach())
    answer = ask(live, picture, "targets")
    assert answer.status_code == 200
    assert json.loads(answer.text)["nearest"][0]["distance"] is None

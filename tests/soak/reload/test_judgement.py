"""Answers of one version of a model, and answers that mix two."""

import json
from collections import Counter
from typing import Any

import pytest

from soak.reload.judgement import Asked, Swap, Version, agree, faults_of, judge, result_of
from soak.traffic.client import End, Exchange
from soak.traffic.connection import Answer
from soak.traffic.requests import Request

FIRST = Version("aaa", {"x.png": {"cat": 0.9, "dog": 0.1}, "y.png": {"cat": 0.2, "dog": 0.8}})
SECOND = Version("bbb", {"x.png": {"Katze": 0.6, "Hund": 0.4}, "y.png": {"Katze": 0.3, "Hund": 0.7}})
KNOWN = {"aaa": FIRST, "bbb": SECOND}
ONE = Asked("/classify", ("x.png",))


def predictions(**values: float) -> list[dict[str, Any]]:
    return [{"label": label, "probability": value} for label, value in values.items()]


def exchange(body: str | dict[str, Any], kind: str = "application/json") -> Exchange:
    data = body if isinstance(body, str) else json.dumps(body)
    return Exchange(Request("", b""), 0.0, 0.1, End.answered, Answer(200, {"content-type": kind}, data.encode()))


@pytest.mark.parametrize(
    ("result", "right"),
    [
        ({"version": "aaa", "predictions": predictions(cat=0.90009, dog=0.09991)}, True),
        ({"version": "aaa", "predictions": predictions(cat=0.9002, dog=0.0998)}, False),
        ({"version": "aaa", "predictions": predictions(Katze=0.6, Hund=0.4)}, False),
        ({"version": "bbb", "predictions": predictions(Katze=0.6, Hund=0.4)}, True),
        ({"version": "ccc", "predictions": predictions(cat=0.9, dog=0.1)}, False),
    ],
)
def test_a_classification_is_right_if_all_of_it_is_of_its_version(result: dict[str, Any], right: bool) -> None:
    assert (faults_of(ONE, exchange(result), KNOWN) == []) == right


def test_each_picture_of_a_batch_is_of_the_version_of_the_whole() -> None:
    asked = Asked("/classify/batch", ("x.png", "y.png"))
    old = {"version": "aaa", "predictions": predictions(cat=0.9)}
    same, other = (
        {"version": "aaa", "predictions": predictions(dog=0.8)},
        {"version": "bbb", "predictions": predictions(Hund=0.7)},
    )
    assert faults_of(asked, exchange({"version": "aaa", "results": [old, same]}), KNOWN) == []
    (fault,) = faults_of(asked, exchange({"version": "aaa", "results": [old, other]}), KNOWN)
    assert "another version" in fault
    swapped = faults_of(asked, exchange({"version": "aaa", "results": [same, old]}), KNOWN)
    assert len(swapped) == 2


def stream(shown: str, result: dict[str, Any], event: str = "result") -> str:
    progress = json.dumps({"step": 1, "probabilities": predictions(**{shown: 0.5})})
    return f"event: progress\ndata: {progress}\n\nevent: {event}\ndata: {json.dumps(result)}\n\n"


def attack(original: str, value: float, changed: str) -> dict[str, Any]:
    (before,), (after,) = predictions(**{original: value}), predictions(**{changed: 0.7})
    return {"version": "aaa", "original": before, "adversarial": after, "image": "data:,"}


@pytest.mark.parametrize(
    ("shown", "result", "faults"),
    [
        ("cat", attack("cat", 0.9, "dog"), 0),
        ("Katze", attack("cat", 0.9, "dog"), 1),
        ("cat", attack("cat", 0.9, "Hund"), 1),
        ("cat", attack("Katze", 0.6, "dog"), 1),
        ("Katze", attack("Katze", 0.6, "Hund"), 3),
    ],
)
def test_a_streamed_attack_is_of_one_version_from_its_progress_to_its_result(
    shown: str, result: dict[str, Any], faults: int
) -> None:
    found = faults_of(Asked("/adversarial", ("x.png",)), exchange(stream(shown, result), "text/event-stream"), KNOWN)
    assert len(found) == faults


def test_a_stream_that_ends_with_a_problem_has_no_result() -> None:
    with pytest.raises(ValueError, match="overloaded"):
        result_of(exchange(stream("cat", {"title": "overloaded"}, "problem"), "text/event-stream; charset=utf-8"))


def test_unknown_classes_do_not_agree() -> None:
    assert agree({"cat": 0.9}, FIRST.pictures["x.png"])
    assert not agree({"Katze": 0.9}, FIRST.pictures["x.png"])


def test_figures_and_broken_promises() -> None:
    swaps, versions = [Swap(True, 2.0), Swap(True, 4.0), Swap(False, 1.0)], Counter({"aaa": 3, "bbb": 1})
    good = judge(swaps, [exchange("{}")], [], versions)
    assert good.problems == []
    assert (good.figures["swaps"], good.figures["swap_mean_s"], good.figures["files_refused"]) == (2, 3.0, 1)
    lost = Exchange(Request("", b""), 0.0, 0.1, End.lost)
    bad = judge([*swaps, Swap(False, None)], [lost], ["it was mixed"], Counter({"aaa": 1}))
    assert len(bad.problems) == 4

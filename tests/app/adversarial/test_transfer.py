"""Tests the predictions of other served models for an adversarial picture; their failure never affects the result."""

import asyncio
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from app.adversarial.transfer import _Candidate, _judged, _verdict, ask_other_models
from app.engine.admission import Overloaded
from models import architectures, checkpoint
from models import classify as classify_module
from models.attacks.task import Adversarial, adversarial
from models.classifier import Classifier
from models.pictures import encode
from models.run import run
from models.store import Model
from tests.app.events import events
from tests.app.live_service import TINY, Live, drawn, lively_network, serve
from tests.app.picture_requests import classify, fool, pixels, post

ORDER = (2, 0, 3, 1)
"""For every class of `twin`, the index of this class in `tiny`."""
MODELS = ("tiny", "failed", "stubborn", "strangers", "twin", "digits")


@pytest.fixture(scope="module")
def several(checkpoints: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """Several models: tiny; `twin`, the same with the classes in another order; `stubborn`, which always predicts cat;
    `strangers` and `digits`, which have other classes; and `failed`, which cannot be loaded.
    """
    folder = tmp_path_factory.mktemp("several")
    shutil.copy(checkpoints / "tiny.safetensors", folder)
    (folder / "failed.safetensors").write_bytes(b"no checkpoint")
    network = lively_network()
    head = architectures.head(network)
    weight, bias = head.weight.detach().clone(), head.bias.detach().clone()

    def save(name: str, classes: tuple[str, ...]) -> None:
        checkpoint.save(folder / f"{name}.safetensors", network, replace(TINY, classes=classes), {})

    save("strangers", ("ant", "bee", "wasp", "fly"))
    save("digits", ("0", "1", "cat", "3"))
    architectures.set_head(network, weight[list(ORDER)], bias[list(ORDER)])
    save("twin", tuple(TINY.classes[index] for index in ORDER))
    architectures.set_head(network, 0 * weight, torch.tensor([5.0, 0.0, 0.0, 0.0]))
    save("stubborn", TINY.classes)
    with serve(checkpoints=folder, models=MODELS) as live:
        yield live


def picture_of(live: Live, label: str) -> bytes:
    """Return a picture whose top-1 class in `tiny` is this one."""
    files = (encode(drawn(seed=seed)) for seed in range(40))
    return next(file for file in files if classify(live, file, "tiny")[0]["label"] == label)


@pytest.mark.parametrize(("label", "target"), [("cat", ""), ("dog", ""), ("dog", "cat"), ("cat", "dog")])
def test_models_that_know_the_classes_are_asked(several: Live, label: str, target: str) -> None:
    """Every verdict agrees with /classify of that model for both files. The attacked model, models without both
    classes, and the model that could not be loaded are left out.
    """
    picture = picture_of(several, label)
    result = fool(several, picture, model="tiny", attack="ddn", steps=20, target=target)
    assert result["success"]
    verdicts = {verdict["model"]: verdict for verdict in result["transfer"]}
    # `digits` has the class cat, and none of the other classes.
    expected = ["stubborn", "twin", "digits"] if (label, target) == ("cat", "") else ["stubborn", "twin"]
    assert list(verdicts) == expected
    changed = encode(pixels(result["image"]))
    for name, verdict in verdicts.items():
        for file, prediction in ((picture, verdict["original"]), (changed, verdict["adversarial"])):
            expected_prediction = classify(several, file, name)[0]
            assert (prediction["label"], prediction["index"]) == (
                expected_prediction["label"],
                expected_prediction["index"],
            )
            assert prediction["probability"] == pytest.approx(expected_prediction["probability"], abs=1e-4)
    # The twin predicts what tiny predicts; `stubborn` predicts cat before and after.
    assert verdicts["twin"]["fooled"] is True
    assert verdicts["twin"]["adversarial"]["label"] == result["adversarial"]["label"]
    assert verdicts["stubborn"]["fooled"] is False


def test_the_twin_can_be_attacked_as_well(several: Live) -> None:
    result = fool(several, picture_of(several, "dog"), model="twin", attack="ddn", steps=20)
    assert {verdict["model"]: verdict["fooled"] for verdict in result["transfer"]} == {"tiny": True, "stubborn": False}


@pytest.fixture(scope="module")
def attack_result(several: Live) -> Adversarial:
    """Return the result of a successful attack on `tiny`."""
    model = several.service.registry.get("tiny")
    result = run(adversarial(drawn(), model.spec, attack="ddn", steps=20), model.classifier)
    assert result.success
    return result


def names(live: Live, result: Adversarial) -> list[str]:
    """Return the names of the models that give a verdict, in order."""
    verdicts = asyncio.run(ask_other_models(live.service, result, "tiny"))
    return [verdict.model for verdict in verdicts]


def test_a_class_whose_name_is_a_number_is_no_index_of_another_model(several: Live, attack_result: Adversarial) -> None:
    """The class called "1" of `digits` is not the class of index 1 of another model."""
    renamed = replace(attack_result, original=replace(attack_result.original, label="1", index=3))
    assert names(several, renamed) == ["digits"]
    original = replace(attack_result.original, label="cat")
    renamed_target = replace(attack_result, original=original, target=replace(attack_result.adversarial, label="3"))
    assert names(several, renamed_target) == ["digits"]


@pytest.mark.parametrize(
    ("before", "after", "target", "fooled"),
    [
        ((4.0, -4.0), (-4.0, -5.0), None, True),  # the label is the most probable one still, and is found no more
        ((4.0, -4.0), (3.0, 5.0), None, False),  # it is found still, though another is more probable
        ((-1.0, 2.0), (-2.0, 2.0), None, False),  # it was not found before
        ((4.0, -4.0), (5.0, 2.0), 1, True),  # the target is found, though another is more probable
        ((4.0, -4.0), (-5.0, -4.5), 1, False),  # it is the most probable one, and is not found
        ((4.0, 1.0), (4.0, 2.0), 1, False),  # it was found before
    ],
)
def test_a_model_of_several_labels_is_fooled_about_one_of_them(
    before: tuple[float, float], after: tuple[float, float], target: int | None, fooled: bool
) -> None:
    """Its logits for both pictures are known; the prediction is that of the label which the attack is about."""
    spec = replace(TINY, classes=("cat", "dog"), multi_label=True)
    candidate = _Candidate(Model("other", Classifier(nn.Identity(), spec), {}), 0, target)
    ranked = [classify_module.rank(torch.tensor(logits), spec, top=2) for logits in (before, after)]
    verdict = _verdict(candidate, *(_judged(candidate, predictions) for predictions in ranked))
    assert verdict.fooled == fooled
    label = target or 0
    assert verdict.original.index == verdict.adversarial.index == label
    assert verdict.adversarial.probability == pytest.approx(torch.tensor(after)[label].sigmoid().item())


def test_other_models_are_asked_even_when_the_service_is_full(
    several: Live, attack_result: Adversarial, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A question costs two forward passes, but refusing it would lose the result of hundreds of passes."""
    monkeypatch.setattr("app.web.second_opinions.TIMEOUT_S", 60)
    all_names = names(several, attack_result)
    assert set(all_names) >= {"stubborn", "twin"}
    with monkeypatch.context() as patch:
        patch.setattr(several.service.engine.admission, "max_tasks", 0)
        with pytest.raises(Overloaded):
            several.service.engine.check_room()
        assert names(several, attack_result) == all_names


def test_a_model_that_fails_is_left_out(
    several: Live, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The reason is logged, and the client gets the result of the attack."""

    def fail(*_: object) -> None:
        raise RuntimeError("out of order")

    monkeypatch.setattr(several.service.registry.get("stubborn").classifier, "answer", fail)
    for format in ("json", "events"):
        result = fool_as(several, format)
        assert result["success"]
        assert [verdict["model"] for verdict in result["transfer"]] == ["twin"]
        assert "stubborn could not be asked" in caplog.text and "out of order" in caplog.text
        caplog.clear()


def fool_as(live: Live, format: str) -> dict[str, Any]:
    """Return the result of an attack on `tiny`, from JSON or from the last event of a stream."""
    response = post(live, "/adversarial", encode(drawn()), model="tiny", attack="ddn", steps=20, format=format)
    if format == "json":
        return dict(response.json())
    *_, (name, data) = events(response.text.splitlines())
    assert name == "result"
    return data


def test_without_other_models_transfer_is_empty(live: Live) -> None:
    assert fool(live, encode(drawn()), attack="ddn", steps=5)["transfer"] == []

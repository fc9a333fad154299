"""Whether the other served models are fooled by the same file: their own verdicts, and never at the attack's cost."""

import shutil
from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from app.web.second_opinions import transfer
from models import architectures, checkpoint
from models.attacks.task import Adversarial, adversarial
from models.pictures import encode
from models.run import run
from tests.app.adversarial.test_route import fool, pixels
from tests.app.live_service import TINY, Live, drawn, lively_network, serve

ORDER = (2, 0, 3, 1)
"""The twin's classes: of which of tiny's each is."""
MODELS = ("tiny", "failed", "stubborn", "strangers", "twin", "digits")


@pytest.fixture(scope="module")
def house(checkpoints: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """Beside tiny: its twin, whose classes stand in another order; one that always says cat; two of other classes; and
    one that cannot be loaded.
    """
    folder = tmp_path_factory.mktemp("house")
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


def classified(live: Live, picture: bytes, model: str) -> dict[str, Any]:
    answer = live.client.post("/classify", files={"image": picture}, params={"model": model})
    found: dict[str, Any] = answer.json()["predictions"][0]
    return found


def pictured(live: Live, label: str) -> bytes:
    """A picture that tiny takes for this class."""
    files = (encode(drawn(seed=seed)) for seed in range(40))
    return next(file for file in files if classified(live, file, "tiny")["label"] == label)


@pytest.mark.parametrize(("label", "target"), [("cat", ""), ("dog", ""), ("dog", "cat"), ("cat", "dog")])
def test_models_that_know_the_classes_are_asked(house: Live, label: str, target: str) -> None:
    """Each with what its own /classify says of both files, by its own index; not the one under attack, nor one that
    does not know both classes, nor one that could not be loaded.
    """
    picture = pictured(house, label)
    told = fool(house, picture, model="tiny", attack="ddn", steps=20, target=target)
    assert told["success"]
    asked = {each["model"]: each for each in told["transfer"]}
    # The one of digits knows the cat, and no second class here.
    expected = ["stubborn", "twin", "digits"] if (label, target) == ("cat", "") else ["stubborn", "twin"]
    assert list(asked) == expected
    for name, each in asked.items():
        for file, said in ((picture, each["original"]), (encode(pixels(told["image"])), each["adversarial"])):
            again = classified(house, file, name)
            assert (said["label"], said["index"]) == (again["label"], again["index"])
            assert said["probability"] == pytest.approx(again["probability"], abs=1e-4)
    # The twin sees what tiny sees; the stubborn one sees a cat before and after.
    assert asked["twin"]["fooled"] is True
    assert asked["twin"]["adversarial"]["label"] == told["adversarial"]["label"]
    assert asked["stubborn"]["fooled"] is False


def test_the_twin_may_be_attacked_as_well(house: Live) -> None:
    told = fool(house, pictured(house, "dog"), model="twin", attack="ddn", steps=20)
    assert {each["model"]: each["fooled"] for each in told["transfer"]} == {"tiny": True, "stubborn": False}


@pytest.fixture(scope="module")
def found(house: Live) -> Adversarial:
    """An attack on tiny that won."""
    model = house.service.registry.get("tiny")
    result = run(adversarial(drawn(), model.spec, attack="ddn", steps=20), model.classifier)
    assert result.success
    return result


def names(live: Live, found: Adversarial) -> list[str]:
    return [each["model"] for each in transfer(found, live.service, "tiny")]


def test_a_class_called_by_a_digit_is_no_index_elsewhere(house: Live, found: Adversarial) -> None:
    """Another model's class `1` is not tiny's dog."""
    digit = replace(found, original=replace(found.original, label="1", index=3))
    assert names(house, digit) == ["digits"]
    target = replace(found, original=replace(found.original, label="cat"), target=replace(found.adversarial, label="3"))
    assert names(house, target) == ["digits"]


def test_a_full_house_leaves_it_out(house: Live, found: Adversarial, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the second model's turn comes there is no place: the first is told, and the attack is answered."""
    assert set(names(house, found)) >= {"stubborn", "twin"}
    engine = house.service.engine
    submit, count = engine.submit, 0

    def counted(*args: Any, **options: Any) -> Any:
        nonlocal count
        count += 1
        if count > 3:  # the attack and the first model's two pictures
            monkeypatch.setattr(engine.admission, "max_tasks", 0)
        return submit(*args, **options)

    monkeypatch.setattr(engine, "submit", counted)
    told = fool(house, encode(drawn()), model="tiny", attack="ddn", steps=20)
    assert told["success"] and [each["model"] for each in told["transfer"]] == ["stubborn"]
    assert names(house, found) == []


def test_a_model_that_fails_is_left_out(
    house: Live, found: Adversarial, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Its reason goes to the log, and the attack's own result is answered."""

    def fail(*_: object) -> None:
        raise RuntimeError("out of order")

    monkeypatch.setattr(house.service.registry.get("stubborn").classifier, "answer", fail)
    told = fool(house, encode(drawn()), model="tiny", attack="ddn", steps=20)
    assert told["success"]
    assert "stubborn" not in [each["model"] for each in told["transfer"]]
    assert "twin" in [each["model"] for each in told["transfer"]]
    assert "stubborn could not be asked" in caplog.text and "out of order" in caplog.text


def test_a_model_that_is_busy_is_left_out(
    house: Live, found: Adversarial, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """After the time that all have together; what it was asked is withdrawn."""
    asked: list[Future[Any]] = []

    def never(*_: object, **__: object) -> "Future[Any]":
        asked.append(Future())
        return asked[-1]

    monkeypatch.setattr("app.web.second_opinions.TIMEOUT_S", 0.05)
    monkeypatch.setattr(house.service.engine, "submit", never)
    assert names(house, found) == []
    assert len(asked) >= 4 and all(future.cancelled() for future in asked)
    assert "stubborn could not be asked" in caplog.text


def test_alone_there_is_nobody_to_ask(live: Live) -> None:
    assert fool(live, encode(drawn()), attack="ddn", steps=5)["transfer"] == []

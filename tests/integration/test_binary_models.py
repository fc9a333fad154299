"""Tests a service of a binary network: one output for two classes, at every endpoint."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
import torch

from models import architectures, checkpoint
from models.pictures import encode
from tests.app.live_service import TINY, Live, lively_network, serve
from tests.app.picture_requests import classify, fool, pixels, post_for_json

BINARY = replace(TINY, classes=("cat", "dog"), binary=True)
HEAD = "classifier.3"
SIGNS = torch.tensor([-0.5, 0.5])


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """Return a service of three networks with the output z: of one label, binary, and of two classes, -z/2 and z/2."""
    folder = tmp_path_factory.mktemp("binary")
    weights = lively_network().state_dict()
    kernel, bias = weights[f"{HEAD}.weight"][:1], weights[f"{HEAD}.bias"][:1]
    for name, spec, factors in (
        ("binary", BINARY, torch.ones(1)),
        ("label", replace(TINY, classes=("dog",), multi_label=True), torch.ones(1)),
        ("twin", replace(BINARY, binary=False), SIGNS),
    ):
        network = architectures.build(TINY.architecture, len(factors))
        head = {f"{HEAD}.weight": factors[:, None] * kernel, f"{HEAD}.bias": factors * bias}
        network.load_state_dict({**weights, **head})
        checkpoint.save(folder / f"{name}.safetensors", network, spec, {})
    with serve(checkpoints=folder, models=("binary", "label", "twin")) as running:
        yield running


def test_the_output_is_that_of_the_second_class(live: Live, picture: bytes) -> None:
    """Its sigmoid, as for the model of one label; the rest is the probability of the first class."""
    ((_, dog),) = [(entry["label"], entry["probability"]) for entry in classify(live, picture, "label")]
    found = {entry["label"]: entry["probability"] for entry in classify(live, picture, "binary")}
    assert found == pytest.approx({"cat": 1 - dog, "dog": dog}, abs=2e-4)


def test_each_class_becomes_the_other(live: Live, picture: bytes) -> None:
    """The returned file is attacked in its turn; both successes are verified in the files."""
    fooled = encode(pixels(fool(live, picture, model="binary")["image"]))
    back = encode(pixels(fool(live, fooled, model="binary")["image"]))
    labels = [classify(live, file, "binary")[0]["label"] for file in (picture, fooled, back)]
    assert set(labels) == {"cat", "dog"} and labels[0] == labels[2] != labels[1]


@pytest.mark.parametrize("label", ["cat", "dog"])
def test_every_answer_is_that_of_a_network_of_two_classes(live: Live, picture: bytes, label: str) -> None:
    """For either class: the first one has a logit, too, and so an ideal picture and explanations."""
    other = "dog" if classify(live, picture, "binary")[0]["label"] == "cat" else "cat"
    answers = []
    for model in ("binary", "twin"):
        drawing = {"model": model, "steps": 9, "format": "json"}
        answers.append([
            fool(live, picture, model=model, target=other),
            post_for_json(live, "/explain", picture, model=model, target=label),
            live.client.get(f"/ideal/{label}", params=drawing).json(),
        ])  # fmt: skip
    for one, twin in zip(*answers, strict=True):
        assert one["image"] == twin["image"]
    attacked, explained, _ = answers[0]
    assert attacked["success"] and explained["target"]["label"] == label

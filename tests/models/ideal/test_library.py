"""Ideals from Python."""

import pytest
import torch

from models.classes import UnknownClass
from models.classifier import Classifier
from models.ideal import BadIdeal, ideal, imagine
from models.layers import UnknownLayer
from models.query import Progress
from models.run import run
from models.store import Model

FEW = {"steps": 3, "crops": 2}


def test_a_class_by_name_or_index_of_a_model_or_its_classifier(tiny: Classifier) -> None:
    expected = run(ideal(1, tiny.spec, **FEW), tiny).sheet
    for model in (tiny, Model("tiny", tiny, {})):
        for label in ("siamese cat", 1):
            assert torch.equal(imagine(model, label, **FEW).sheet, expected)


def test_a_class_whose_name_is_a_number(tiny: Classifier) -> None:
    """Class 2 is called "3": as a text it is that name, as a number an index."""
    assert imagine(tiny, "3", **FEW).subject.label == "3"
    assert imagine(tiny, 3, **FEW).subject.label == "dog"


def test_a_channel(tiny: Classifier) -> None:
    reports: list[Progress] = []
    result = imagine(tiny, layer="0", channel=4, on_progress=reports.append, **FEW)
    assert result.subject.label == "0:4" and len(reports) == 3


@pytest.mark.parametrize(
    ("asked", "error", "message"),
    [
        ({}, ValueError, "needs either a class"),
        ({"label": 0, "layer": "0"}, ValueError, "needs either a class"),
        ({"label": "wolf"}, UnknownClass, "wolf"),
        ({"label": 4}, UnknownClass, "0 to 3"),
        ({"layer": "1000"}, UnknownLayer, "1000"),
        ({"layer": "0", "channel": 12}, UnknownLayer, "0 to 11"),
        ({"label": 0, "steps": 0}, BadIdeal, "steps"),
    ],
)
def test_what_cannot_be_drawn(tiny: Classifier, asked: dict[str, object], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        imagine(tiny, **asked)

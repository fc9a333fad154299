"""Tests `imagine`, the Python function that draws ideal pictures."""

import pytest
import torch

from models.classes import UnknownClass
from models.classifier import Classifier
from models.ideal import BadIdeal, ideal, imagine
from models.layers import UnknownLayer
from models.query import Progress
from models.run import run
from models.store import Model

FEW = {"steps": 3, "crops": 2, "batch": 1}


def test_a_class_is_drawn_by_name_or_index_for_a_model_or_its_classifier(tiny: Classifier) -> None:
    expected = run(ideal(1, tiny.spec, **FEW), tiny).sheet
    for model in (tiny, Model("tiny", tiny, {})):
        for label in ("siamese cat", 1):
            assert torch.equal(imagine(model, label, **FEW).sheet, expected)


def test_a_text_is_a_name_and_a_number_is_an_index(tiny: Classifier) -> None:
    """Class 2 is called "3", so the text "3" means class 2 and the number 3 means class 3, the dog."""
    assert imagine(tiny, "3", **FEW).subject.label == "3"
    assert imagine(tiny, 3, **FEW).subject.label == "dog"


def test_a_channel_is_drawn_with_progress_reports(tiny: Classifier) -> None:
    reports: list[Progress] = []
    result = imagine(tiny, layer="0", channel=4, on_progress=reports.append, **FEW)
    assert result.subject.label == "0:4" and len(reports) == 3


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
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
def test_wrong_arguments_are_refused(
    tiny: Classifier, arguments: dict[str, object], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        imagine(tiny, **arguments)

"""Tests the balanced accuracy that is read from the metrics of a checkpoint."""

from typing import Any

import pytest

from models.figures import balanced_accuracy


@pytest.mark.parametrize(
    ("metrics", "expected"),
    [
        ({"balanced_accuracy": 0.25, "per_class": {"a": {"photos": 1, "correct": 1}}}, 0.25),
        # 190 photos of one class and 10 of another, all predicted as the first: recalls 1 and 0.
        ({"per_class": {"a": {"photos": 190, "correct": 190}, "b": {"photos": 10, "correct": 0}}}, 0.5),
        # A class without photos is left out of the mean.
        ({"per_class": {"a": {"photos": 4, "correct": 3}, "b": {"photos": 0, "correct": 0}}}, 0.75),
        ({"per_class": {"a": {"photos": 0, "correct": 0}}}, None),
        ({"per_class": [0.98, 0.99]}, None),
        ({"per_class": {"a": {"photos": 4, "correct": 3}, "b": {"photos": "many"}}}, None),
        ({"per_class": {"a": 0.5}, "accuracy": 0.5}, None),
        ({}, None),
    ],
)
def test_balanced_accuracy_is_the_mean_of_the_recalls(metrics: dict[str, Any], expected: float | None) -> None:
    """The stored value comes first, else the mean of the recalls; None where the metrics have another form."""
    assert balanced_accuracy(metrics) == expected

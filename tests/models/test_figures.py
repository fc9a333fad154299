from typing import Any

import pytest

from models.figures import balanced_accuracy


@pytest.mark.parametrize(
    ("metrics", "expected"),
    [
        ({"balanced_accuracy": 0.25, "per_class": {"a": {"photos": 1, "correct": 1}}}, 0.25),
        # 190 of one class and 10 of another, all taken for the first.
        ({"per_class": {"a": {"photos": 190, "correct": 190}, "b": {"photos": 10, "correct": 0}}}, 0.5),
        # A class without photos says nothing.
        ({"per_class": {"a": {"photos": 4, "correct": 3}, "b": {"photos": 0, "correct": 0}}}, 0.75),
        ({"per_class": {"a": {"photos": 0, "correct": 0}}}, None),
        ({"per_class": [0.98, 0.99]}, None),
        ({"per_class": {"a": {"photos": 4, "correct": 3}, "b": {"photos": "many"}}}, None),
        ({"per_class": {"a": 0.5}, "accuracy": 0.5}, None),
        ({}, None),
    ],
)
def test_the_mean_of_the_recalls(metrics: dict[str, Any], expected: float | None) -> None:
    """Stored or computed, and None where a file holds something else."""
    assert balanced_accuracy(metrics) == expected

"""Tests which failures that Schemathesis reports are none."""

from types import SimpleNamespace
from typing import Any

import pytest

failures = pytest.importorskip("schemathesis.core.failures", reason="needs the extra soak")


@pytest.mark.parametrize(
    ("answer", "counts"),
    [
        ({"results": [{"predictions": []}, {"problem": {"status": 422}}]}, False),
        ({"results": [{"predictions": []}]}, True),
        ({"predictions": []}, True),
        ([], True),
    ],
)
def test_an_invalid_batch_is_refused_in_the_place_of_its_picture(answer: object, counts: bool) -> None:
    from soak.openapi.hooks import filter_failure

    accepted: Any = failures.AcceptedNegativeData.__new__(failures.AcceptedNegativeData)
    response = SimpleNamespace(json=lambda: answer)
    assert filter_failure(None, accepted, None, response) is counts

"""Tests which failures that Schemathesis reports are none."""

from types import SimpleNamespace
from typing import Any

import pytest

failures = pytest.importorskip("schemathesis.core.failures", reason="needs the extra soak")


@pytest.mark.parametrize(
    ("field", "answer", "counts"),
    [
        ("image", {"results": [{"predictions": []}, {"problem": {"status": 422}}]}, False),
        ("top", {"results": [{"predictions": []}, {"problem": {"status": 422}}]}, True),
        ("image", {"results": [{"predictions": []}]}, True),
        ("image", {"predictions": []}, True),
        ("image", [], True),
    ],
)
def test_an_invalid_batch_is_refused_in_the_place_of_its_picture(field: str, answer: object, counts: bool) -> None:
    from soak.openapi.hooks import filter_failure

    accepted: Any = failures.AcceptedNegativeData.__new__(failures.AcceptedNegativeData)
    accepted.message = f"Invalid component: in body - violates `type` at /properties/{field} (was array)"
    response = SimpleNamespace(json=lambda: answer)
    assert filter_failure(None, accepted, None, response) is counts

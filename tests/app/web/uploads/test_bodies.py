"""JSON is read as the OpenAPI document says: what counts as left out, and which values are of the wrong type."""

import base64
from typing import Any

import pytest

from tests.app.classify_requests import refusal
from tests.app.live_service import Live


@pytest.mark.parametrize("value", [None, ""])
def test_null_and_an_empty_value_count_as_left_out(live: Live, picture: bytes, value: object) -> None:
    """Of the four classes all are then returned, since the default is five."""
    body = {"image": base64.b64encode(picture).decode(), "top": value, "model": value}
    response = live.client.post("/classify", json=body)
    assert response.status_code == 200, response.text
    assert len(response.json()["predictions"]) == 4


def test_a_misspelt_option_is_an_error_also_where_it_is_null(live: Live, picture: bytes) -> None:
    detail = refusal(live, 422, json={"image": base64.b64encode(picture).decode(), "tops": None})["detail"]
    assert str(detail).startswith("tops: there is no option of this name")


def test_a_boolean_is_no_number(live: Live, picture: bytes) -> None:
    """Pydantic alone would read true as 1."""
    detail = refusal(live, 422, json={"image": base64.b64encode(picture).decode(), "top": True})["detail"]
    assert str(detail).startswith("top: 'true' is not valid")


@pytest.mark.parametrize("place", ["query", "form", "json"])
def test_an_empty_list_counts_as_left_out(live: Live, picture: bytes, place: str) -> None:
    """By default the smallest perturbation is looked for in all norms."""
    options = {"norms": "", "steps": "1", "effort": "quick", "format": "json"}
    requests: dict[str, Any] = {
        "query": {"files": {"image": picture}, "params": options},
        "form": {"files": {"image": picture}, "data": options},
        "json": {"json": options | {"image": base64.b64encode(picture).decode()}},
    }
    response = live.client.post("/adversarial/curve", **requests[place])
    assert response.status_code == 200, response.text
    assert set(response.json()["smallest"]) == {"linf", "l2", "l1", "l0"}

"""JSON is read as the OpenAPI document says: what counts as left out, and which values are of the wrong type."""

import base64
from typing import Any

import pytest

from app.web.uploads.multipart import CHARSETS
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


def test_of_many_faults_a_few_are_described(live: Live, picture: bytes) -> None:
    """Each name and value is cut off, so that no client gets an answer as large as its request."""
    options = {f"{number}" + "a" * 1000: "x" for number in range(20)}
    detail = str(refusal(live, 422, files={"image": picture}, data=options)["detail"])
    assert detail.count("there is no option of this name") == 5 and detail.endswith(
        "; and 15 more options are not valid"
    )
    assert len(detail) < 2000


def test_charsets_that_take_long_are_unknown_ones() -> None:
    """Labels of 10 kB take Python's idna codec 30 ms."""
    assert (CHARSETS["utf_8"], CHARSETS["iso_8859_1"], CHARSETS["windows_1252"]) == ("utf_8", "latin_1", "cp1252")
    assert not {"idna", "punycode", "utf_7", "base64", "rot13", "unicode_escape"} & CHARSETS.keys()

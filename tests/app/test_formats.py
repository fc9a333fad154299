"""Content negotiation (RFC 9110, 12.5.1)."""

import pytest
from starlette.exceptions import HTTPException

from app.formats import Format, choose_format


@pytest.mark.parametrize(
    ("accept", "chosen"),
    [
        (None, "png"),
        ("*/*", "png"),
        ("image/*", "png"),
        ("application/json", "json"),
        ("text/event-stream", "events"),
        ("image/jpeg;q=0.5, image/webp;q=0.9", "webp"),
        ("application/json;q=0.1, */*;q=0.2", "png"),
        ("image/png;q=0, image/*", "jpeg"),
        ("IMAGE/JPEG", "jpeg"),
        ("text/html, application/xhtml+xml, */*;q=0.8", "png"),
        ("image/png;q=nonsense, application/json;q=0.1", "json"),
    ],
)
def test_the_best_is_chosen(accept: str | None, chosen: str) -> None:
    assert choose_format([] if accept is None else [accept], None) == chosen


def test_several_headers_are_one_list() -> None:
    assert choose_format(["text/html", "application/json"], None) == "json"


def test_a_wish_goes_before_the_header() -> None:
    assert choose_format(["application/json"], Format.webp) is Format.webp


def test_nothing_acceptable() -> None:
    for accept in ("video/mp4", "image/png;q=0", "text/html"):
        with pytest.raises(HTTPException) as refused:
            choose_format([accept], None)
        assert refused.value.status_code == 406

"""Content negotiation (RFC 9110, 12.5.1)."""

import pytest
from starlette.exceptions import HTTPException

from app.web.formats import Format, choose_format


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


@pytest.mark.parametrize(
    ("accept", "chosen"),
    [
        (None, "png"),
        ("image/*", "png"),
        ("image/gif", "gif"),
        ("image/gif, image/png;q=0.9", "gif"),
        ("image/webp", "webp"),
        ("image/png;q=0.1, image/*", "jpeg"),
    ],
)
def test_among_what_moves_too(accept: str | None, chosen: str) -> None:
    """A GIF is had by its type; a WebP of that type stands still, and a film is had by its name alone."""
    among = tuple(Format)
    assert choose_format([] if accept is None else [accept], None, among) == chosen
    assert choose_format([] if accept is None else [accept], Format.film, among) is Format.film


def test_no_film_where_nothing_moves() -> None:
    with pytest.raises(HTTPException) as refused:
        choose_format(["image/gif"], None)
    assert "image/gif" not in refused.value.detail


def test_the_refusal_names_each_type_once() -> None:
    """A film's is a still WebP's, too."""
    with pytest.raises(HTTPException) as refused:
        choose_format(["video/mp4"], None, tuple(Format))
    types = refused.value.detail.removeprefix("none of these is accepted: ").split(";")[0].split(", ")
    assert types == [
        "image/png", "image/jpeg", "image/webp", "application/json", "text/event-stream", "image/gif"
    ]  # fmt: skip

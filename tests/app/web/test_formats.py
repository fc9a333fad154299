"""Tests content negotiation (RFC 9110, section 12.5.1)."""

import pytest
from starlette.exceptions import HTTPException

from app.web.formats import Format, choose_format


@pytest.mark.parametrize(
    ("accept", "expected"),
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
def test_the_format_of_the_highest_quality_is_chosen(accept: str | None, expected: str) -> None:
    assert choose_format([] if accept is None else [accept], None) == expected


def test_several_accept_headers_are_joined() -> None:
    assert choose_format(["text/html", "application/json"], None) == "json"


def test_the_option_takes_precedence_over_the_header() -> None:
    assert choose_format(["application/json"], Format.webp) is Format.webp


def test_without_an_acceptable_format_the_status_is_406() -> None:
    for accept in ("video/mp4", "image/png;q=0", "text/html"):
        with pytest.raises(HTTPException) as error:
            choose_format([accept], None)
        assert error.value.status_code == 406


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        (None, "png"),
        ("image/*", "png"),
        ("image/gif", "gif"),
        ("image/gif, image/png;q=0.9", "gif"),
        ("image/webp", "webp"),
        ("image/png;q=0.1, image/*", "jpeg"),
    ],
)
def test_animated_formats_are_chosen_where_they_are_offered(accept: str | None, expected: str) -> None:
    """A GIF is chosen by its type; an animated WebP has the type of a still one, so only the option chooses it."""
    all_formats = tuple(Format)
    assert choose_format([] if accept is None else [accept], None, all_formats) == expected
    assert choose_format([] if accept is None else [accept], Format.film, all_formats) is Format.film


def offered_in(refusal: HTTPException) -> list[str]:
    """Return the media types that the message of a refusal lists."""
    return refusal.detail.partition(": accept one of ")[2].partition(", or choose")[0].split(", ")


def test_animated_formats_are_refused_for_still_pictures() -> None:
    with pytest.raises(HTTPException, match="the header Accept \\('image/gif'\\) allows none") as error:
        choose_format(["image/gif"], None)
    assert "image/gif" not in offered_in(error.value)


def test_the_refusal_names_every_type_once() -> None:
    """An animated WebP has the same type as a still one."""
    with pytest.raises(HTTPException) as error:
        choose_format(["video/mp4"], None, tuple(Format))
    assert offered_in(error.value) == [
        "image/png", "image/jpeg", "image/webp", "application/json", "text/event-stream", "image/gif"
    ]  # fmt: skip

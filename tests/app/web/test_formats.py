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


def test_the_option_goes_before_the_header() -> None:
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
def test_animated_formats_are_offered_too(accept: str | None, chosen: str) -> None:
    """A GIF is chosen by its media type, but an animated WebP only by the option: its type is that of a still one."""
    offered = tuple(Format)
    assert choose_format([] if accept is None else [accept], None, offered) == chosen
    assert choose_format([] if accept is None else [accept], Format.film, offered) is Format.film


def offered_in(refusal: HTTPException) -> list[str]:
    """The media types that the error message of a refusal lists."""
    return refusal.detail.partition(": accept one of ")[2].partition(", or choose")[0].split(", ")


def test_no_film_where_nothing_moves() -> None:
    with pytest.raises(HTTPException, match="the header Accept \\('image/gif'\\) allows none") as refused:
        choose_format(["image/gif"], None)
    assert "image/gif" not in offered_in(refused.value)


def test_the_refusal_names_each_type_once() -> None:
    """The type of an animated WebP is that of a still one."""
    with pytest.raises(HTTPException) as refused:
        choose_format(["video/mp4"], None, tuple(Format))
    assert offered_in(refused.value) == [
        "image/png", "image/jpeg", "image/webp", "application/json", "text/event-stream", "image/gif"
    ]  # fmt: skip

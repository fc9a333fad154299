"""The media types that an operation can return, and the choice among them by Accept header or `format` option."""

from collections.abc import Sequence
from enum import StrEnum

from starlette.exceptions import HTTPException


class Format(StrEnum):
    """The representation of a result. A client without a preference gets the first one."""

    png = "png"
    jpeg = "jpeg"
    webp = "webp"
    json = "json"
    events = "events"
    gif = "gif"
    film = "film"


STILL = (Format.png, Format.jpeg, Format.webp, Format.json, Format.events)
"""The formats of results that are not animated."""
MEDIA_TYPES = {
    Format.png: "image/png",
    Format.jpeg: "image/jpeg",
    Format.webp: "image/webp",
    Format.json: "application/json",
    Format.events: "text/event-stream",
    Format.gif: "image/gif",
    Format.film: "image/webp",  # an animated WebP; a client that accepts image/webp gets a still one
}


def choose_format(
    accept_headers: Sequence[str], format_option: Format | None, offered: Sequence[Format] = STILL
) -> Format:
    """The format option if the client gave one, else the offered format that the Accept headers prefer.

    Negotiation follows RFC 9110, 12.5.1. Raises HTTPException 406 if no offered format is accepted.
    """
    if format_option is not None:
        return format_option
    accept = ",".join(accept_headers) or "*/*"
    qualities = {format: accepted_quality(accept, MEDIA_TYPES[format]) for format in offered}
    best = max(offered, key=lambda format: qualities[format])  # the first one of those with equal quality
    if qualities[best] <= 0:
        media_types = ", ".join(dict.fromkeys(MEDIA_TYPES[format] for format in offered))
        raise HTTPException(
            406,
            f"the header Accept ({accept[:100]!r}) allows none of the media types that this operation returns: accept "
            f"one of {media_types}, or choose with the option `format`",
        )
    return best


def accepted_quality(accept: str, media_type: str) -> float:
    """The quality, from 0 to 1, that an Accept header gives to a media type: that of the most specific range."""
    qualities = []
    for media_range in accept.lower().split(","):
        name, *parameters = (piece.strip() for piece in media_range.split(";"))
        if name in (media_type, media_type.split("/")[0] + "/*", "*/*"):
            wildcards = name.count("*")
            qualities.append((wildcards, _quality(parameters)))
    return min(qualities, key=lambda quality: quality[0])[1] if qualities else 0.0


def _quality(parameters: list[str]) -> float:
    """The value of the parameter q; 1 without it, and 0 if it is not a number."""
    for parameter in parameters:
        if parameter.startswith("q="):
            try:
                return float(parameter[2:])
            except ValueError:
                return 0.0
    return 1.0

"""Which representation a client wants: a picture, JSON, or an event stream."""

from collections.abc import Sequence
from enum import StrEnum

from starlette.exceptions import HTTPException


class Format(StrEnum):
    """The representations, in the order in which a client without preference gets them."""

    png = "png"
    jpeg = "jpeg"
    webp = "webp"
    json = "json"
    events = "events"
    gif = "gif"
    film = "film"


STILL = (Format.png, Format.jpeg, Format.webp, Format.json, Format.events)
"""Of what does not move."""
MEDIA_TYPES = {
    Format.png: "image/png",
    Format.jpeg: "image/jpeg",
    Format.webp: "image/webp",
    Format.json: "application/json",
    Format.events: "text/event-stream",
    Format.gif: "image/gif",
    Format.film: "image/webp",  # only by its name: who accepts image/webp gets a still picture
}


def choose_format(accept: Sequence[str], wanted: Format | None, among: Sequence[Format] = STILL) -> Format:
    """`wanted` if given, else the best of the Accept headers (RFC 9110, 12.5.1); raises HTTPException 406."""
    if wanted is not None:
        return wanted
    weights = {each: _weight(",".join(accept) or "*/*", MEDIA_TYPES[each]) for each in among}
    best = max(among, key=lambda each: weights[each])  # the first of equals
    if weights[best] <= 0:
        there = ", ".join(dict.fromkeys(MEDIA_TYPES[each] for each in among))
        raise HTTPException(406, f"none of these is accepted: {there}; ask for one of them")
    return best


def _weight(accept: str, media_type: str) -> float:
    """The quality that the header gives a media type: by its most specific matching range."""
    matches = []
    for part in accept.lower().split(","):
        name, *parameters = (piece.strip() for piece in part.split(";"))
        if name in (media_type, media_type.split("/")[0] + "/*", "*/*"):
            matches.append((name.count("*"), _quality(parameters)))
    return min(matches, key=lambda match: match[0])[1] if matches else 0.0


def _quality(parameters: list[str]) -> float:
    for parameter in parameters:
        if parameter.startswith("q="):
            try:
                return float(parameter[2:])
            except ValueError:
                return 0.0
    return 1.0

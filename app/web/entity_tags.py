"""Entity tags (RFC 9110, 8.8.3), by which a client asks whether the response that it has stored is still current."""

import hashlib

from app.web.formats import Format


def entity_tag(key: str, format: Format) -> str:
    """The tag of a result in one format. The key identifies the result before anything is computed.

    The tag is weak: JSON contains the seconds that the computation took, and machines differ in their rounding.
    """
    return f'W/"{hashlib.sha256(f"{key}:{format.value}".encode()).hexdigest()[:32]}"'


def tag_matches(tag: str, if_none_match: list[str]) -> bool:
    """Whether the If-None-Match headers name the tag, by weak comparison (RFC 9110, 13.1.2)."""
    client_tags = [text.strip().removeprefix("W/") for header in if_none_match for text in header.split(",")]
    return "*" in client_tags or tag.removeprefix("W/") in client_tags

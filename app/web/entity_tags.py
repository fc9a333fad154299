"""Entity tags (RFC 9110, 8.8.3): whether a client has already what it asks for."""

import hashlib

from app.web.formats import Format


def entity_tag(key: str, format: Format) -> str:
    """The tag of one representation of what the key stands for, known before anything is computed.

    Weak, since `seconds` are in some of them, and other machines round sums otherwise.
    """
    return f'W/"{hashlib.sha256(f"{key}:{format.value}".encode()).hexdigest()[:32]}"'


def is_known(tag: str, if_none_match: list[str]) -> bool:
    """Whether If-None-Match names the tag; weakly compared (RFC 9110, 13.1.2)."""
    named = [each.strip().removeprefix("W/") for header in if_none_match for each in header.split(",")]
    return "*" in named or tag.removeprefix("W/") in named

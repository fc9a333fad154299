"""Seeds made from text, so that each random decision is independent of those before it."""

import hashlib


def stable_seed(text: str) -> int:
    """A seed of 63 bits made from a text; the same in every process and with every version of Python."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1

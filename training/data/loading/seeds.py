"""Chance that is decided by what it is for, not by what was drawn before."""

import hashlib


def stable_seed(text: str) -> int:
    """A seed of 63 bits, the same in every process and version."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1

"""Which bytes each file has: read and hashed, or known from before where the system shows them to be the same."""

import hashlib
import random
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from training.data.sources.source import BadData, Identity, Source

VERIFIED = 64
"""Files whose bytes are read again at each start although the system says that they are the same."""
READERS = 8

Contents = Mapping[str, str]
"""Digest of the bytes of each file, by name; empty for one that cannot be read."""


def digest_of(data: bytes) -> str:
    """Digest of a file's bytes."""
    return hashlib.sha256(data).hexdigest()


@dataclass(frozen=True)
class Recorded:
    """What an earlier run noted of the files of a path: their digests, and the identities that they had then."""

    contents: Contents
    identities: Mapping[str, Identity]

    def trusted(self, source: Source, names: Iterable[str]) -> dict[str, str]:
        """The digests of those files that the system says are untouched."""
        return {
            name: self.contents[name]
            for name in names
            if name in self.contents
            and name in source.identities
            and tuple(source.identities[name]) == tuple(self.identities.get(name, ()))
        }


def current_contents(source: Source, names: Iterable[str], recorded: Recorded) -> Contents:
    """The digest of each file as it is now; what the system says is untouched is believed, after a sample of it.

    Some network file systems keep no change time that can be relied on: where one file of the sample is another than
    recorded, all are read.
    """
    names = list(names)
    known = recorded.trusted(source, names)
    sample = random.SystemRandom().sample(sorted(known), min(VERIFIED, len(known)))
    read = _read_digests(source, sample)
    if any(read[name] != known[name] for name in sample):
        known = {}
    return {**known, **_read_digests(source, [name for name in names if name not in known])}


def _read_digests(source: Source, names: list[str]) -> dict[str, str]:
    # Threads: both reading and hashing leave Python's lock.
    with ThreadPoolExecutor(READERS) as pool:
        return dict(zip(names, pool.map(lambda name: _digest(source, name), names), strict=True))


def _digest(source: Source, name: str) -> str:
    try:
        return digest_of(source.read(name))
    except BadData:
        return ""

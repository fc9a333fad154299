"""The digest of each file's bytes: computed, or taken from an earlier run where the file has not changed since."""

import hashlib
import random
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from training.data.sources.source import BadData, Identity, Source

VERIFIED = 64
"""Number of random files that are hashed at each start although the file system says that they are unchanged."""
READERS = 8
"""Number of threads that read and hash files."""

Contents = Mapping[str, str]
"""Digest of the bytes of each file, by name; empty for a file that cannot be read."""


def content_digest(data: bytes) -> str:
    """Digest of a file's bytes."""
    return hashlib.sha256(data).hexdigest()


@dataclass(frozen=True)
class RecordedContents:
    """What an earlier run has recorded about the files of a path: their digests, and their identities at that time."""

    contents: Contents
    identities: Mapping[str, Identity]

    def trusted(self, source: Source, names: Iterable[str]) -> dict[str, str]:
        """The recorded digests of those files that are unchanged according to the file system."""
        return {
            name: self.contents[name]
            for name in names
            if name in self.contents
            and name in source.identities
            and tuple(source.identities[name]) == tuple(self.identities.get(name, ()))
        }


def current_contents(source: Source, names: Iterable[str], recorded: RecordedContents) -> Contents:
    """The digest of each file as it is now. Recorded digests are trusted if a random sample of them proves right.

    Some network file systems keep no reliable change time: if one file of the sample differs from its record, all files
    are read.
    """
    names = list(names)
    trusted = recorded.trusted(source, names)
    sample = random.SystemRandom().sample(sorted(trusted), min(VERIFIED, len(trusted)))
    actual = _read_digests(source, sample)
    if any(actual[name] != trusted[name] for name in sample):
        trusted = {}
    return {**trusted, **_read_digests(source, [name for name in names if name not in trusted])}


def _read_digests(source: Source, names: list[str]) -> dict[str, str]:
    # Threads suffice: reading and hashing both release Python's global lock.
    with ThreadPoolExecutor(READERS) as pool:
        return dict(zip(names, pool.map(lambda name: _read_digest(source, name), names), strict=True))


def _read_digest(source: Source, name: str) -> str:
    try:
        return content_digest(source.read(name))
    except BadData:
        return ""

"""The results of a scan: usable photos, and findings (files with a problem), as they are kept in the cache."""

import hashlib
from collections import Counter
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any


class FileProblem(StrEnum):
    """What can be wrong with a file. The problems in ONLY_REPORTED are only reported; all others keep it out of use.

    The values are what users read, and what the cache, findings.csv and model cards hold.
    """

    EMPTY = "empty"
    UNREADABLE = "unreadable"
    NOT_A_PICTURE = "not a picture"
    BROKEN = "broken"
    TOO_LARGE = "too large"
    DUPLICATE = "duplicate"
    MISSING = "missing"
    CONFLICT = "in two classes"
    LEAK = "in two splits"
    OUTSIDE = "in no class folder"
    MISNAMED = "misnamed"
    TINY = "tiny"
    CONSTANT = "nearly constant"
    NEAR_DUPLICATE = "nearly a duplicate"
    NEAR_CONFLICT = "nearly in two classes"
    NEAR_LEAK = "nearly in two splits"
    LABEL = "label in doubt"


ONLY_REPORTED = {
    *(FileProblem.MISNAMED, FileProblem.TINY, FileProblem.CONSTANT, FileProblem.LABEL),
    *(FileProblem.NEAR_DUPLICATE, FileProblem.NEAR_CONFLICT, FileProblem.NEAR_LEAK),
}
"""Problems of files that are used all the same."""


@dataclass(frozen=True)
class Finding:
    """A problem of one file, with a sentence on what it is and on what follows."""

    name: str
    problem: FileProblem
    detail: str


@dataclass(frozen=True)
class Photo:
    """A usable photo: its file, the folder of its class, and the digest of its pixels.

    `split` is the split that the data itself assigns to it (train, validation or test), or empty. `group` stands for
    all photos that are near-duplicates of it, directly or through others: the digest of one of them, or its own.
    """

    name: str
    folder: str
    digest: str
    split: str = ""
    group: str = ""


@dataclass(frozen=True)
class Scan:
    """The photos of a source that can be used, in order of name and each picture once, and the findings."""

    photos: tuple[Photo, ...]
    findings: tuple[Finding, ...]

    @property
    def digest(self) -> str:
        """Digest of all usable pictures and their classes: the same for a folder and a zip of it."""
        rows = sorted(f"{photo.folder}\0{photo.digest}" for photo in self.photos)
        return hashlib.sha256("\n".join(rows).encode("utf-8", "surrogateescape")).hexdigest()

    @property
    def counts(self) -> Counter[str]:
        """Number of usable pictures of each class folder."""
        return Counter(photo.folder for photo in self.photos)

    def to_json(self) -> dict[str, Any]:
        """Plain lists and strings."""
        # Caches hold a photo's split as `side`.
        photos = [
            {"name": p.name, "folder": p.folder, "digest": p.digest, "side": p.split, "group": p.group}
            for p in self.photos
        ]
        return {"photos": photos, "findings": [asdict(finding) for finding in self.findings]}

    @staticmethod
    def from_json(fields: dict[str, Any]) -> "Scan":
        """The scan that `to_json` wrote."""
        photos = (Photo(p["name"], p["folder"], p["digest"], p["side"], p["group"]) for p in fields["photos"])
        findings = (Finding(f["name"], FileProblem(f["problem"]), f["detail"]) for f in fields["findings"])
        return Scan(tuple(photos), tuple(findings))

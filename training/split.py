"""Which photos train, which choose, which judge: decided by each picture's content and the seed."""

import hashlib
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from training.scan import Photo
from training.sources import BadData

MIN_PER_CLASS = 4
"""Two to train, one to validate, one to test."""


@dataclass(frozen=True)
class Split:
    """The three sides, each in order of name; no picture is on two."""

    train: tuple[Photo, ...]
    validation: tuple[Photo, ...]
    test: tuple[Photo, ...]

    @property
    def digest(self) -> str:
        """Digest of who is where."""
        sides = {"train": self.train, "validation": self.validation, "test": self.test}
        rows = [f"{side}\0{photo.folder}\0{photo.digest}" for side, photos in sides.items() for photo in photos]
        return hashlib.sha256("\n".join(sorted(rows)).encode("utf-8", "surrogateescape")).hexdigest()

    def counts(self, folders: Sequence[str]) -> dict[str, list[int]]:
        """Photos per side, in the order of `folders`."""
        sides = {"train": self.train, "validation": self.validation, "test": self.test}
        return {
            side: [sum(photo.folder == folder for photo in photos) for folder in folders]
            for side, photos in sides.items()
        }


def split(photos: Sequence[Photo], folders: Sequence[str], *, validation: float, test: float, seed: int) -> Split:
    """Stratified: of each class the same fraction, to the nearest photo, and one at least, goes to each side.

    Within a class photos are ranked by a hash of seed and pixels, so that adding photos moves only few others, and
    renaming files, or packing them otherwise, moves none. Raises BadData when a class has too few photos.
    """
    by_folder: dict[str, list[Photo]] = defaultdict(list)
    for photo in photos:
        by_folder[photo.folder].append(photo)
    sides: tuple[list[Photo], list[Photo], list[Photo]] = ([], [], [])
    for folder in folders:
        ranked = sorted(by_folder[folder], key=lambda photo: _rank(photo, seed))
        if len(ranked) < MIN_PER_CLASS:
            raise BadData(
                f"{folder!r} has {len(ranked)} usable photos, {MIN_PER_CLASS} are needed at least: add some, or "
                "take the folder away (`check` lists the files that cannot be used)"
            )
        judges = max(1, round(test * len(ranked)))
        choosers = max(1, round(validation * len(ranked)))
        sides[0].extend(ranked[judges + choosers :])
        sides[1].extend(ranked[judges : judges + choosers])
        sides[2].extend(ranked[:judges])
    train, choose, judge = (tuple(sorted(side, key=lambda photo: photo.name)) for side in sides)
    return Split(train, choose, judge)


def _rank(photo: Photo, seed: int) -> str:
    return hashlib.sha256(f"{seed}:{photo.digest}".encode()).hexdigest()

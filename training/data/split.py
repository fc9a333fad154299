"""Which photos train, which choose, which judge: as the data says, else by each picture's content and the seed."""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from training.data.scan.inspect_file import Photo
from training.data.split_errors import refusal

MIN_PER_CLASS = 4
"""Two to train, one to validate, one to test."""


@dataclass(frozen=True)
class Split:
    """The three sides, each in order of name; no picture is on two."""

    train: tuple[Photo, ...]
    validation: tuple[Photo, ...]
    test: tuple[Photo, ...]

    @property
    def sides(self) -> dict[str, tuple[Photo, ...]]:
        """The sides by name."""
        return {"train": self.train, "validation": self.validation, "test": self.test}

    @property
    def alike_on_several_sides(self) -> int:
        """Photos that look like one on another side, or through others do: the fewer, the more honest the figures."""
        placed = [(photo.group or photo.digest, side) for side, photos in self.sides.items() for photo in photos]
        sides = defaultdict(set)
        for group, side in placed:
            sides[group].add(side)
        return sum(len(sides[group]) > 1 for group, _ in placed)

    @property
    def digest(self) -> str:
        """Digest of who is where."""
        rows = [f"{side}\0{photo.folder}\0{photo.digest}" for side, photos in self.sides.items() for photo in photos]
        return hashlib.sha256("\n".join(sorted(rows)).encode("utf-8", "surrogateescape")).hexdigest()

    def counts(self, folders: Sequence[str]) -> dict[str, list[int]]:
        """Photos per side, in the order of `folders`."""
        counts = {side: Counter(photo.folder for photo in photos) for side, photos in self.sides.items()}
        return {side: [found[folder] for folder in folders] for side, found in counts.items()}


def split(
    photos: Sequence[Photo],
    folders: Sequence[str],
    *,
    validation: float,
    test: float,
    seed: int,
    why: Mapping[str, str] | None = None,
    leave_out: Mapping[str, str] | None = None,
) -> Split:
    """A side that the data names is taken as it is; one that it lacks takes a fraction of what would else train.

    Stratified: of each class the same fraction, to the nearest photo, and one at least. In a class photos are ranked by
    a hash of seed and pixels, so that adding photos moves only few others, and renaming files, or packing them
    otherwise, moves none. Photos that look alike go to one side; more of them than it has room for go to the next.
    Raises BadData when a class has too few photos, with `why` files of it were left out, and
    `leave_out` as what leaves the class itself out.
    """
    given = {photo.side for photo in photos}
    wanted = {"test": 0.0 if "test" in given else test, "validation": 0.0 if "validation" in given else validation}
    by_folder: dict[str, list[Photo]] = defaultdict(list)
    for photo in photos:
        by_folder[photo.folder].append(photo)
    sides: dict[str, list[Photo]] = {"train": [], "validation": [], "test": []}
    trained = {photo.folder for photo in photos if photo.side in ("", "train")}
    # A class that has no photos to train on goes first: it is the one to name, and no class that has all it needs.
    for folder in sorted(folders, key=lambda folder: folder in trained):
        own = by_folder[folder]
        for side in ("validation", "test"):
            sides[side] += [photo for photo in own if photo.side == side]
        cut = _cut([photo for photo in own if photo.side in ("", "train")], wanted, seed)
        if cut is None or not all(any(photo.side == side for photo in own) for side in given & {"validation", "test"}):
            raise refusal(folder, photos, folders, given, MIN_PER_CLASS, why or {}, leave_out or {})
        for side, taken in cut.items():
            sides[side] += taken
    ordered = {side: tuple(sorted(found, key=lambda photo: photo.name)) for side, found in sides.items()}
    return Split(**ordered)


def _cut(photos: list[Photo], wanted: dict[str, float], seed: int) -> dict[str, list[Photo]] | None:
    """The photos of one class dealt out, whole groups first; None where they are too few."""
    # Where groups are so large that a side would have none, or too few are left to train on, they are of no use.
    for key in (_group_rank, _rank):
        ranked = sorted(photos, key=lambda photo: (key(photo, seed), _rank(photo, seed)))
        groups = [list(group) for _, group in groupby(ranked, key=lambda photo: key(photo, seed))]
        cut: dict[str, list[Photo]] = {}
        for side, fraction in wanted.items():
            count = max(1, round(fraction * len(photos))) if fraction else 0
            cut[side], left = [], []
            for group in groups:
                if len(cut[side]) + len(group) <= count:
                    cut[side] += group
                else:
                    left.append(group)
            groups = left
        train = [photo for group in groups for photo in group]
        if len(train) >= MIN_PER_CLASS - 2 and all(cut[side] for side, fraction in wanted.items() if fraction):
            return {**cut, "train": train}
    return None


def _rank(photo: Photo, seed: int) -> str:
    return hashlib.sha256(f"{seed}:{photo.digest}".encode()).hexdigest()


def _group_rank(photo: Photo, seed: int) -> str:
    return hashlib.sha256(f"{seed}:{photo.group or photo.digest}".encode()).hexdigest()

"""The train, validation and test splits: those that the data has, else by the content of each picture and the seed."""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from training.data.scan.findings import Photo
from training.data.split_errors import split_error

MIN_PER_CLASS = 4
"""Smallest number of photos of a class: two to train on, one for validation and one for the test."""
MIN_TRAIN = 2
"""Smallest number of photos of a class to train on."""


@dataclass(frozen=True)
class Split:
    """The three splits, each in order of name; no picture is in two of them."""

    train: tuple[Photo, ...]
    validation: tuple[Photo, ...]
    test: tuple[Photo, ...]

    @property
    def by_name(self) -> dict[str, tuple[Photo, ...]]:
        """The photos of `train`, `validation` and `test`."""
        return {"train": self.train, "validation": self.validation, "test": self.test}

    @property
    def near_duplicates_across_splits(self) -> int:
        """Number of photos whose group of near-duplicates is in several splits: they make the metrics too good."""
        groups = [(photo.group or photo.digest, name) for name, photos in self.by_name.items() for photo in photos]
        splits_of = defaultdict(set)
        for group, name in groups:
            splits_of[group].add(name)
        return sum(len(splits_of[group]) > 1 for group, _ in groups)

    @property
    def digest(self) -> str:
        """Digest of which picture is in which split."""
        rows = [f"{name}\0{photo.folder}\0{photo.digest}" for name, photos in self.by_name.items() for photo in photos]
        return hashlib.sha256("\n".join(sorted(rows)).encode("utf-8", "surrogateescape")).hexdigest()

    def counts(self, folders: Sequence[str]) -> dict[str, list[int]]:
        """For each split the number of photos of each class folder, in the order of `folders`."""
        counts = {name: Counter(photo.folder for photo in photos) for name, photos in self.by_name.items()}
        return {name: [by_folder[folder] for folder in folders] for name, by_folder in counts.items()}


def split(
    photos: Sequence[Photo],
    folders: Sequence[str],
    *,
    validation: float,
    test: float,
    seed: int,
    left_out: Mapping[str, str] | None = None,
    exclusion: Mapping[str, str] | None = None,
) -> Split:
    """Take the splits that the data has; one that it lacks is a fraction of the photos that would be trained on.

    Stratified: the same fraction of each class, to the nearest photo, and at least one photo. The photos of a class are
    ranked by a hash of seed and pixels. So adding photos moves only few others to another split, and renaming or
    repacking files moves none. Near-duplicates go to the same split, unless it has too little room for all of them.

    Raises BadData when a class has too few photos; its text includes why files of the class were `left_out`, and the
    option that leaves out the whole class (`exclusion`), both by class folder.
    """
    present = {photo.split for photo in photos}
    fractions = {
        "test": 0.0 if "test" in present else test,
        "validation": 0.0 if "validation" in present else validation,
    }
    held_out = present & {"validation", "test"}
    by_folder: dict[str, list[Photo]] = defaultdict(list)
    for photo in photos:
        by_folder[photo.folder].append(photo)
    result: dict[str, list[Photo]] = {"train": [], "validation": [], "test": []}
    trained = {photo.folder for photo in photos if photo.split in ("", "train")}
    # Classes without training photos come first: the error should name one of them rather than one that has enough.
    for folder in sorted(folders, key=lambda folder: folder in trained):
        of_class = by_folder[folder]
        for name in ("validation", "test"):
            result[name] += [photo for photo in of_class if photo.split == name]
        divided = _divide([photo for photo in of_class if photo.split in ("", "train")], fractions, seed)
        if divided is None or not held_out <= {photo.split for photo in of_class}:
            raise split_error(folder, photos, folders, present, MIN_PER_CLASS, left_out or {}, exclusion or {})
        for name, part in divided.items():
            result[name] += part
    return Split(**{name: tuple(sorted(part, key=lambda photo: photo.name)) for name, part in result.items()})


def _divide(photos: list[Photo], fractions: Mapping[str, float], seed: int) -> dict[str, list[Photo]] | None:
    """Divide the photos of one class, keeping groups of near-duplicates together; None where they are too few.

    Where the groups are so large that a split would stay empty, or too few photos would be left to train on, the photos
    are divided without regard to groups.
    """
    for rank in (_group_rank, _rank):
        result = _divide_groups(_ranked_groups(photos, rank, seed), len(photos), fractions)
        enough = len(result["train"]) >= MIN_TRAIN and all(result[name] for name in fractions if fractions[name])
        if enough:
            return result
    return None


def _divide_groups(groups: list[list[Photo]], total: int, fractions: Mapping[str, float]) -> dict[str, list[Photo]]:
    """Fill the splits with whole groups in turn; what is left is for training."""
    result: dict[str, list[Photo]] = {}
    for name, fraction in fractions.items():
        count = max(1, round(fraction * total)) if fraction else 0
        result[name], rest = [], []
        for group in groups:
            if len(result[name]) + len(group) <= count:
                result[name] += group
            else:
                rest.append(group)
        groups = rest
    return {**result, "train": [photo for group in groups for photo in group]}


def _ranked_groups(photos: list[Photo], rank: Callable[[Photo, int], str], seed: int) -> list[list[Photo]]:
    ranked = sorted(photos, key=lambda photo: (rank(photo, seed), _rank(photo, seed)))
    return [list(group) for _, group in groupby(ranked, key=lambda photo: rank(photo, seed))]


def _rank(photo: Photo, seed: int) -> str:
    return hashlib.sha256(f"{seed}:{photo.digest}".encode()).hexdigest()


def _group_rank(photo: Photo, seed: int) -> str:
    return hashlib.sha256(f"{seed}:{photo.group or photo.digest}".encode()).hexdigest()

"""The error for a class with too few photos to be split: what is missing, why, and which option settles it."""

import re
import shlex
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from glob import escape

from training.data.layout.folder_tree import nfc
from training.data.layout.layout import Layout
from training.data.layout.similar_names import skeleton
from training.data.options import SPLITS, DataOptions
from training.data.scan.findings import ONLY_REPORTED, Finding, Photo
from training.data.sources.source import BadData

MAX_REASONS = 3
"""Largest number of reasons, the most frequent ones, that the error gives for files of a class that were left out."""


def exclusion_reasons(layout: Layout, findings: Sequence[Finding]) -> dict[str, str]:
    """For each class folder why files of it were left out: `5 too large (the picture has ...)`."""
    problems: dict[str, Counter[str]] = defaultdict(Counter)
    example: dict[tuple[str, str], str] = {}
    for finding in findings:
        folder = layout.folder_of.get(finding.name)
        if folder is not None and finding.problem not in ONLY_REPORTED:
            problems[folder][finding.problem.value] += 1
            example.setdefault((folder, finding.problem.value), finding.detail)
    return {
        folder: ", ".join(
            f"{count:,} {problem} ({example[folder, problem]})" for problem, count in counts.most_common(MAX_REASONS)
        )
        for folder, counts in problems.items()
    }


def exclusion_options(layout: Layout, options: DataOptions) -> dict[str, str]:
    """For each class how to leave it out: the options that exclude its folders, or a change of the labels."""
    if options.labels:
        return dict.fromkeys(layout.folders, "remove its rows from the table of labels")
    if options.label_from:
        return dict.fromkeys(layout.folders, "change the pattern of --label-from so that it does not match its files")
    places = {(tuple(map(nfc, name.split("/")[:-1])), folder) for name, folder in layout.folder_of.items()}
    patterns = _patterns(places)
    return {folder: " ".join(map(_exclusion, sorted(patterns[folder]))) for folder in patterns}


def _patterns(places: set[tuple[tuple[str, ...], str]]) -> dict[str, set[str]]:
    """For each class the names of the folders that contain it alone, or their paths if the names are not unique.

    `places` has the path and the class of each folder with files.
    """
    owners: dict[tuple[str, ...], set[str]] = defaultdict(set)  # the classes below each path
    owners_of_name: dict[str, set[str]] = defaultdict(set)  # the classes below folders of each name
    for path, folder in places:
        for depth, part in enumerate(path, start=1):
            owners[path[:depth]].add(folder)
            owners_of_name[part].add(folder)
    patterns: dict[str, set[str]] = defaultdict(set)
    for path, folder in places:
        if folder in path:
            depth = len(path) - path[::-1].index(folder)
        elif len(owners[path]) == 1:  # one name contains class and split (`cat_train`)
            depth = next(depth for depth in range(1, len(path) + 1) if len(owners[path[:depth]]) == 1)
        else:  # the names of the files contain the class
            continue
        name = path[depth - 1]
        patterns[folder].add(name if len(owners_of_name[name]) == 1 else "/".join(path[:depth]))
    return patterns


def _exclusion(folder: str) -> str:
    """The option that leaves out a folder of this name, quoted for the shell."""
    pattern = escape(folder)
    is_plain = re.fullmatch(r"[\w./+=:,@%-]+", pattern)
    return f"--exclude {pattern if is_plain else shlex.quote(pattern)}"


def split_error(
    folder: str,
    photos: Sequence[Photo],
    folders: Sequence[str],
    present: set[str],
    least: int,
    left_out: Mapping[str, str],
    exclusion: Mapping[str, str],
) -> BadData:
    """The error for a class of which at least one split would have no photos. It ends in the option that settles it.

    `present` are the splits that the data has, `least` is the number of photos that a class needs. `left_out` says why
    files were left out, `exclusion` how to leave the class out, by class folder.
    """
    option = exclusion.get(folder) or _exclusion(folder)
    of_class = [photo for photo in photos if photo.folder == folder]
    reasons = f" Files of it that were left out: {left_out[folder]}." if folder in left_out else ""
    if not of_class:
        return BadData(
            f"the class {folder!r} has no usable photos.{reasons} Add photos of it, or leave the class out: {option}"
        )
    counts = Counter(photo.split or "train" for photo in of_class)
    for split in SPLITS:
        if split in present and not counts[split]:
            others = sorted({photo.folder for photo in photos if photo.split == split} - {folder})
            problem = _missing(folder, split, others, counts) + _similar_class(folder, folders) + reasons
            return BadData(f"{problem} {_advice(split, option)}")
    by_split = f" ({_list_counts(counts)})" if present - {""} else ""
    return BadData(
        f"the class {folder!r} has only {len(of_class)} usable photos{by_split}, but at least {least} are needed: two "
        f"for training, and one each for validation and test unless the data has these splits.{reasons} Add photos of "
        f"it, or leave the class out: {option}"
    )


def _missing(folder: str, split: str, others: Sequence[str], counts: Counter[str]) -> str:
    more = " and others" if len(others) > 5 else ""
    contents = f", which has photos of {', '.join(others[:5])}{more}" if others else ""
    return f"the class {folder!r} has no photos in the {split} split{contents}; it has {_list_counts(counts)}."


def _advice(split: str, option: str) -> str:
    if split == "train":
        return f"Add training photos of it or, if these pictures have no labels, leave them out: {option}"
    return (
        f"Add photos of it there, or leave out the whole {split} split so that a new one is taken from the training "
        f"photos, or leave the class out: {option}"
    )


def _list_counts(counts: Counter[str]) -> str:
    return ", ".join(f"{count:,} in {split}" for split, count in counts.items() if count)


def _similar_class(folder: str, folders: Sequence[str]) -> str:
    similar = [name for name in folders if name != folder and skeleton(name) == skeleton(folder)]
    return (
        f" The class {similar[0]!r} has a similar name: if it is the same class, give both folders the same name."
        if similar
        else ""
    )

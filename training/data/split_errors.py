"""Why photos cannot be split as they are, in words that name what is missing and what to do."""

import re
import shlex
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from glob import escape

from training.data.layout.folder_tree import spelt
from training.data.layout.layout import Layout
from training.data.layout.similar_names import skeleton
from training.data.options import DataOptions
from training.data.scan.inspect_file import USED, Finding, Photo
from training.data.sources.source import BadData

NAMED = 3
"""Reasons for which files of a class were left out that are told, the most frequent first."""


def reasons(found: Layout, findings: Sequence[Finding]) -> dict[str, str]:
    """For each class folder why files of it were left out: `5 too large (the picture has ...)`."""
    problems: dict[str, Counter[str]] = defaultdict(Counter)
    example: dict[tuple[str, str], str] = {}
    for finding in findings:
        folder = found.folder_of.get(finding.name)
        if folder is not None and finding.problem not in USED:
            problems[folder][finding.problem.value] += 1
            example.setdefault((folder, finding.problem.value), finding.detail)
    return {
        folder: ", ".join(
            f"{count:,} {problem} ({example[folder, problem]})" for problem, count in counts.most_common(NAMED)
        )
        for folder, counts in problems.items()
    }


def ways_out(found: Layout, options: DataOptions) -> dict[str, str]:
    """For each class what leaves it out: the options that exclude its folders, or a change of its labels."""
    if options.labels:
        return dict.fromkeys(found.folders, "remove its rows from the table of labels")
    if options.label_from:
        return dict.fromkeys(found.folders, "change the pattern of --label-from so that it does not match its files")
    places = {(tuple(map(spelt, name.split("/")[:-1])), folder) for name, folder in found.folder_of.items()}
    patterns = _patterns(places)
    return {folder: " ".join(map(_exclusion, sorted(own))) for folder, own in patterns.items()}


def _patterns(places: set[tuple[tuple[str, ...], str]]) -> dict[str, set[str]]:
    """For each class the names of the folders that hold it alone, or their paths where others are called so too."""
    owners: dict[tuple[str, ...], set[str]] = defaultdict(set)  # the classes below each path
    called: dict[str, set[str]] = defaultdict(set)  # the classes below folders of each name
    for path, folder in places:
        for depth, part in enumerate(path, start=1):
            owners[path[:depth]].add(folder)
            called[part].add(folder)
    patterns: dict[str, set[str]] = defaultdict(set)
    for path, folder in places:
        if folder in path:
            depth = len(path) - path[::-1].index(folder)
        elif len(owners[path]) == 1:  # class and split stand in one name (`cat_train`)
            depth = next(depth for depth in range(1, len(path) + 1) if len(owners[path[:depth]]) == 1)
        else:  # the class stands in the names of the files
            continue
        name = path[depth - 1]
        patterns[folder].add(name if len(called[name]) == 1 else "/".join(path[:depth]))
    return patterns


def _exclusion(folder: str) -> str:
    """The option that leaves out a folder of this name, as it can be pasted."""
    pattern = escape(folder)
    is_plain = re.fullmatch(r"[\w./+=:,@%-]+", pattern)
    return f"--exclude {pattern if is_plain else shlex.quote(pattern)}"


def refusal(
    folder: str,
    photos: Sequence[Photo],
    folders: Sequence[str],
    given: set[str],
    least: int,
    why: Mapping[str, str],
    leave_out: Mapping[str, str],
) -> BadData:
    """The error for a class of which not every part of the split gets photos; `leave_out` says what leaves it out."""
    way = leave_out.get(folder) or _exclusion(folder)
    own = [photo for photo in photos if photo.folder == folder]
    left_out = f" Left out of it: {why[folder]}." if folder in why else ""
    if not own:
        return BadData(f"the class {folder!r} has no usable photos.{left_out} Add some, or leave the class out: {way}")
    there = Counter(photo.side or "train" for photo in own)
    for part in ("train", "validation", "test"):
        others = sorted({photo.folder for photo in photos if photo.side == part} - {folder})
        if part in given and not there[part]:
            what = _lacks(folder, part, others, there) + _spelt_otherwise(folder, folders) + left_out
            return BadData(f"{what} {_settled(part, way)}")
    return BadData(
        f"the class {folder!r} has {len(own)} usable photos{_spread(there) if given - {''} else ''}; {least} are "
        f"needed at least: two to train, and one each for the validation and test splits unless the data has these."
        f"{left_out} Add photos, or leave the class out: {way}"
    )


def _lacks(folder: str, part: str, others: list[str], there: Counter[str]) -> str:
    has = (
        f", which has photos of {', '.join(others[:5])}" + (" and others" if len(others) > 5 else "") if others else ""
    )
    return f"the class {folder!r} has no photos in the {part} split{has}; it has {_counts(there)}."


def _settled(part: str, way: str) -> str:
    """What to do next; the option at its end, so that it can be pasted."""
    if part == "train":
        return f"Add photos of it to train on, or, if these pictures have no labels, leave them out: {way}"
    return (
        f"Add some there, or leave out the photos of the {part} split, so that one is made from those to train on, or "
        f"leave the class out: {way}"
    )


def _counts(there: Counter[str]) -> str:
    return ", ".join(f"{count:,} in {part}" for part, count in there.items() if count)


def _spread(there: Counter[str]) -> str:
    return f" ({_counts(there)})"


def _spelt_otherwise(folder: str, folders: Sequence[str]) -> str:
    near = [other for other in folders if other != folder and skeleton(other) == skeleton(folder)]
    return (
        f" The class {near[0]!r} is spelt nearly so: is it the same one? Then give the folders one name."
        if near
        else ""
    )

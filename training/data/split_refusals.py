"""Why photos cannot be split as they are, in words that name what is missing and what to do."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

from training.data.layout import Layout
from training.data.scan import USED, Finding, Photo
from training.data.sources import BadData
from training.data.spelling import skeleton

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


def refusal(
    folder: str, photos: Sequence[Photo], folders: Sequence[str], given: set[str], least: int, why: Mapping[str, str]
) -> BadData:
    """The error for a class of which not every part of the split gets photos."""
    own = [photo for photo in photos if photo.folder == folder]
    left_out = f" Left out of it: {why[folder]}." if folder in why else ""
    if not own:
        return BadData(
            f"the class {folder!r} has no usable photos.{left_out} Add some, or leave the class out: --exclude "
            f"{_quoted(folder)}"
        )
    there = Counter(photo.side or "train" for photo in own)
    for part in ("train", "validation", "test"):
        others = sorted({photo.folder for photo in photos if photo.side == part} - {folder})
        if part in given and not there[part]:
            return BadData(_lacks(folder, part, others, there) + _spelt_otherwise(folder, folders) + left_out)
    return BadData(
        f"the class {folder!r} has {len(own)} usable photos{_spread(there) if given - {''} else ''}; {least} are "
        f"needed at least: two to train, and one each for the validation and test splits unless the data has these."
        f"{left_out} Add photos, or leave the class out: --exclude {_quoted(folder)}"
    )


def _lacks(folder: str, part: str, others: list[str], there: Counter[str]) -> str:
    has = (
        f", which has photos of {', '.join(others[:5])}" + (" and others" if len(others) > 5 else "") if others else ""
    )
    text = f"the class {folder!r} has no photos in the {part} split{has}; it has {_counts(there)}."
    if part == "train":
        return (
            f"{text} If these pictures have no labels, leave them out: --exclude {_quoted(folder)}; else add photos "
            "of it to train on"
        )
    return (
        f"{text} Add some there, or leave the class out (--exclude {_quoted(folder)}), or leave out the folder of the "
        f"{part} split, so that one is made from the photos to train on"
    )


def _counts(there: Counter[str]) -> str:
    return ", ".join(f"{count:,} in {part}" for part, count in there.items() if count)


def _spread(there: Counter[str]) -> str:
    return f" ({_counts(there)})"


def _spelt_otherwise(folder: str, folders: Sequence[str]) -> str:
    near = [other for other in folders if other != folder and skeleton(other) == skeleton(folder)]
    return (
        f". The class {near[0]!r} is spelt nearly so: is it the same one? Then give the folders one name"
        if near
        else ""
    )


def _quoted(folder: str) -> str:
    return folder if folder.replace("_", "").replace("-", "").isalnum() else f"'{folder}'"

"""Labels that are not in the folders: what they say of each file, and those that stand in the files' names."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from training.data.layout.folder_tree import spelt
from training.data.layout.ignored_files import NOT_PICTURES
from training.data.layout.split_names import splits_among
from training.data.sources.source import BadData


@dataclass(frozen=True)
class Labels:
    """Class and split by file, why others have none, what the table says of files that are not there or that it
    labels in two ways, and lines for the user."""

    folder_of: Mapping[str, str]
    split_of: Mapping[str, str]
    without: str
    missing: tuple[str, ...] = ()
    contradictory: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def from_names(files: Iterable[str], pattern: str) -> Labels:
    """Classes by a regular expression in the files' names, or, where it has a slash, in their paths; raises BadData."""
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise BadData(f"--label-from: {pattern!r} is no regular expression ({error})") from error
    if "label" not in compiled.groupindex:
        raise BadData(f"--label-from needs a group called label, as in '(?P<label>cat|dog)', not {pattern!r}")
    files = list(files)
    found = {}
    for name in files:
        text = spelt(name)
        match = compiled.search(text if "/" in pattern else PurePosixPath(text).name)
        if match and match["label"]:
            found[name] = spelt(match["label"])
    return Labels(found, splits_of_folders(found), "its name does not match --label-from")


def hints(files: Iterable[str]) -> str:
    """What may settle where the labels are, for data without class folders; empty where nothing is seen."""
    files = list(files)
    tables = [name for name in files if PurePosixPath(name).suffix.lower() in (".csv", ".tsv")]
    archives = [
        name
        for name in files
        if PurePosixPath(name).suffix.lower() in (".zip", ".tar", ".gz", ".tgz", ".zst", ".rar", ".7z")
    ]
    pictures = [PurePosixPath(name).name for name in files if PurePosixPath(name).suffix.lower() not in NOT_PICTURES]
    if tables and (pictures or not archives):
        return f"; if {tables[0]} has the label of each photo, give --labels {tables[0]}"
    if archives:
        return f"; there are archives inside, {archives[0]}: unpack them, or give one of them"
    prefixes = {match[0] for name in pictures if (match := re.match(r"[^\W\d_]{2,}", name))}
    if 2 <= len(prefixes) <= max(2, len(pictures) // 2):
        some = "|".join(sorted(map(re.escape, prefixes))[:4])
        return f"; if the names of the files say the class, give --label-from '^(?P<label>{some})'"
    return (
        "; if the labels are in a table, give --labels FILE.csv; if the names of the files say the class, give "
        "--label-from '(?P<label>cat|dog)'"
    )


def splits_of_folders(files: Iterable[str]) -> dict[str, str]:
    """The split of each file where the folders on its way are those of a split (`train/cat.0.jpg`)."""
    files = list(files)
    found: dict[str, str] = {}
    for depth in range(max((name.count("/") for name in files), default=0)):
        at_depth = {name: spelt(name).split("/")[depth] for name in files if name.count("/") > depth}
        splits = splits_among(set(at_depth.values()))
        found |= {name: splits[folder] for name, folder in at_depth.items() if folder in splits and name not in found}
    return found

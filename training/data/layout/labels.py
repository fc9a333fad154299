"""Labels that do not come from class folders: what all have in common, and labels in the names of files."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from training.data.layout.folder_tree import nfc
from training.data.layout.ignored_files import NOT_PICTURES
from training.data.layout.split_names import splits_among
from training.data.sources.source import BadData


@dataclass(frozen=True)
class Labels:
    """The class and the split of each file; the other fields are those of `Layout`."""

    folder_of: Mapping[str, str]
    split_of: Mapping[str, str]
    no_class_reason: str
    missing: tuple[str, ...] = ()
    contradictory: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def from_names(files: Iterable[str], pattern: str) -> Labels:
    """Labels that a regular expression finds in file names, or in whole paths if it has a slash. Raises BadData."""
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise BadData(f"--label-from: {pattern!r} is not a valid regular expression ({error})") from error
    if "label" not in compiled.groupindex:
        raise BadData(
            f"--label-from: {pattern!r} has no group named label; an example with one is '(?P<label>cat|dog)'"
        )
    files = list(files)
    labels = {}
    for name in files:
        text = nfc(name)
        match = compiled.search(text if "/" in pattern else PurePosixPath(text).name)
        if match and match["label"]:
            labels[name] = nfc(match["label"])
    return Labels(labels, splits_of_folders(labels), "its name does not match --label-from")


def label_hint(files: Iterable[str]) -> str:
    """Advice on which option may say where the labels are, for data without class folders."""
    files = list(files)
    tables = [name for name in files if PurePosixPath(name).suffix.lower() in (".csv", ".tsv")]
    archives = [
        name
        for name in files
        if PurePosixPath(name).suffix.lower() in (".zip", ".tar", ".gz", ".tgz", ".zst", ".rar", ".7z")
    ]
    pictures = [PurePosixPath(name).name for name in files if PurePosixPath(name).suffix.lower() not in NOT_PICTURES]
    if tables and (pictures or not archives):
        return f". If {tables[0]} contains the label of each photo, give --labels {tables[0]}"
    if archives:
        return f". There are archives in it, such as {archives[0]}: unpack them, or give one of them instead"
    prefixes = {match[0] for name in pictures if (match := re.match(r"[^\W\d_]{2,}", name))}
    if 2 <= len(prefixes) <= max(2, len(pictures) // 2):
        alternatives = "|".join(sorted(map(re.escape, prefixes))[:4])
        return f". If the file names contain the class, give --label-from '^(?P<label>{alternatives})'"
    return (
        ". If the labels are in a table, give --labels FILE.csv; if the file names contain the class, give "
        "--label-from '(?P<label>cat|dog)'"
    )


def splits_of_folders(files: Iterable[str]) -> dict[str, str]:
    """The split of each file that lies in a folder of a split, such as `train/cat.0.jpg`."""
    files = list(files)
    split_of: dict[str, str] = {}
    for depth in range(max((name.count("/") for name in files), default=0)):
        at_depth = {name: nfc(name).split("/")[depth] for name in files if name.count("/") > depth}
        splits = splits_among(set(at_depth.values()))
        of_depth = {name: splits[folder] for name, folder in at_depth.items() if folder in splits}
        split_of = of_depth | split_of  # an outer folder counts more than an inner one
    return split_of

"""The oracle: how a messy data set must be read, which is only known from how it was built."""

from collections import defaultdict
from dataclasses import dataclass, field, replace
from typing import Any

from tests.training.data.messy.pictures import Content, is_misnamed
from training.data.scan.findings import FileProblem

ORDER = {"": 0, "train": 0, "validation": 1, "test": 2}
"""Rank of a split: of several copies in several splits, the one in the split of the highest rank is used."""


@dataclass(frozen=True)
class Item:
    """A file of a data set. `label` is its class (None for a file in no class), and `split` its split in the data.

    A `silent` file is left out without a finding, and one with `several` has contradictory labels.
    """

    name: str
    content: Content
    label: str | None = None
    split: str = ""
    silent: bool = False
    several: bool = False


@dataclass(repr=False)
class Case:
    """A data set, the options to read it, and the expected result.

    `classes` are all classes, also those without photos. `refusal` has texts of the expected error of `check`. The
    output must contain all `notes` and nothing of `silence`. `twins` are two files of equal size that can be exchanged.
    """

    items: list[Item] = field(default_factory=list)
    folders: list[str] = field(default_factory=list)
    options: dict[str, Any] = field(default_factory=dict)
    classes: set[str] = field(default_factory=set)
    missing: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    silence: list[str] = field(default_factory=list)
    refusal: list[str] = field(default_factory=list)
    table: tuple[str, bytes] | None = None
    twins: tuple[str, ...] = ()
    packing: str = "folder"
    kind: str = ""

    def __repr__(self) -> str:
        """The folders of the data set, with the class and the split of their files."""
        places = {
            (item.name.rpartition("/")[0][:200], item.label and item.label[:40], item.split) for item in self.items
        }
        return f"<{self.kind}, packed as {self.packing}, options {self.options}, {sorted(places, key=repr)[:60]}>"

    def names(self) -> list[str]:
        """The names of all files and of folders without files."""
        return [*(item.name for item in self.items), *self.folders]

    def exchanged(self) -> "Case":
        """The same data set after the twins have exchanged their contents."""
        first, second = (next(item for item in self.items if item.name == name) for name in self.twins)
        contents = {first.name: second.content, second.name: first.content}
        items = [replace(item, content=contents.get(item.name, item.content)) for item in self.items]
        return replace(self, items=items)


@dataclass(frozen=True)
class Expected:
    """The used photos with their class and split, every finding, and the picture of every used photo."""

    photos: dict[str, tuple[str, str]]
    findings: list[tuple[str, FileProblem]]
    pixels: dict[str, str]


def expected(case: Case) -> Expected:
    """The result that `check` must have."""
    findings: list[tuple[str, FileProblem]] = [(name, FileProblem.MISSING) for name in case.missing]
    same: dict[str, list[Item]] = defaultdict(list)
    for item in case.items:
        if item.silent:
            continue
        if item.several:
            findings.append((item.name, FileProblem.CONFLICT))
        elif item.label is None:
            findings.append((item.name, FileProblem.OUTSIDE))
        elif item.content.problem is not None:
            findings.append((item.name, item.content.problem))
        else:
            findings += [(item.name, problem) for problem in item.content.odd]
            if is_misnamed(item.name, item.content.format):
                findings.append((item.name, FileProblem.MISNAMED))
            same[item.content.pixels].append(item)
    used: list[Item] = []
    for group in same.values():
        if len({item.label for item in group}) > 1:
            findings += [(item.name, FileProblem.CONFLICT) for item in group]
            continue
        best = max(ORDER[item.split] for item in group)
        used_item = min((item for item in group if ORDER[item.split] == best), key=lambda item: item.name)
        used.append(used_item)
        for item in group:
            if item is not used_item:
                findings.append((item.name, FileProblem.LEAK if ORDER[item.split] != best else FileProblem.DUPLICATE))
    photos = {item.name: (str(item.label), item.split) for item in used}
    return Expected(photos, sorted(findings), {item.name: item.content.pixels for item in used})


def fit_refusal(case: Case, expected_result: Expected) -> set[str] | None:
    """The classes of which `fit` must name one when it refuses these photos; None if it must accept them.

    A split in the data needs photos of every class. A split that the data lacks takes at least one of the training
    photos, of which at least two must remain.
    """
    named_splits = {split for _, split in expected_result.photos.values()}
    lacking = len({"validation", "test"} - named_splits)
    of_class = {
        name: [split for label, split in expected_result.photos.values() if label == name] for name in case.classes
    }
    blamed = {
        name
        for name, splits in of_class.items()
        if sum(split in ("", "train") for split in splits) < 2 + lacking
        or not all(split in splits for split in named_splits & {"validation", "test"})
    }
    return blamed or None

"""Messy data sets, and the oracle: what must be read of each, known from how it was built and from nothing else."""

from collections import defaultdict
from dataclasses import dataclass, field, replace
from typing import Any

from tests.training.data.messy_pictures import Content, is_misnamed
from training.data.scan.findings import FileProblem

ORDER = {"": 0, "train": 0, "validation": 1, "test": 2}
"""Of several copies in several splits the one of the highest is used."""


@dataclass(frozen=True)
class Item:
    """A file of a data set: `label` is its class (None for what is in no class), `split` as given by whoever laid the
    data out; a `silent` one is left out without a finding, and one of `several` has contradictory labels."""

    name: str
    content: Content
    label: str | None = None
    split: str = ""
    silent: bool = False
    several: bool = False


@dataclass(repr=False)
class Case:
    """A data set, how it is asked for, and what must come of it.

    `classes` are all classes, those without photos too. `refusal` has the words of the error of `check`, `option` those
    that settle it. `notes` must stand in what is printed, `silence` must not.
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
        """Its folders, with the class and the split of what lies in them."""
        places = {
            (item.name.rpartition("/")[0][:200], item.label and item.label[:40], item.split) for item in self.items
        }
        return f"<{self.kind}, packed as {self.packing}, options {self.options}, {sorted(places, key=repr)[:60]}>"

    def names(self) -> list[str]:
        """All files and explicit folders."""
        return [*(item.name for item in self.items), *self.folders]

    def exchanged(self) -> "Case":
        """The same after the twins have changed places."""
        one, other = (next(item for item in self.items if item.name == name) for name in self.twins)
        changed = {one.name: other.content, other.name: one.content}
        items = [replace(item, content=changed.get(item.name, item.content)) for item in self.items]
        return replace(self, items=items)


@dataclass(frozen=True)
class Expected:
    """The photos that are used with their class and split, and every finding."""

    photos: dict[str, tuple[str, str]]
    findings: list[tuple[str, FileProblem]]
    pixels: dict[str, str]


def expected(case: Case) -> Expected:
    """What `check` must find."""
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
            findings += [(item.name, odd) for odd in item.content.odd]
            if is_misnamed(item.name, item.content.format):
                findings.append((item.name, FileProblem.MISNAMED))
            same[item.content.pixels].append(item)
    used: list[Item] = []
    for group in same.values():
        if len({item.label for item in group}) > 1:
            findings += [(item.name, FileProblem.CONFLICT) for item in group]
            continue
        best = max(ORDER[item.split] for item in group)
        kept = min((item for item in group if ORDER[item.split] == best), key=lambda item: item.name)
        used.append(kept)
        for item in group:
            if item is not kept:
                findings.append((item.name, FileProblem.LEAK if ORDER[item.split] != best else FileProblem.DUPLICATE))
    photos = {item.name: (str(item.label), item.split) for item in used}
    return Expected(photos, sorted(findings), {item.name: item.content.pixels for item in used})


def fit_refusal(case: Case, wanted: Expected) -> set[str] | None:
    """The classes of which `fit` must name one when it refuses these photos; None where it must go through.

    A split that the data names needs photos of every class; one that it lacks takes one photo at least of what would
    train, which leaves two.
    """
    given = {split for _, split in wanted.photos.values()}
    lacking = len({"validation", "test"} - given)
    of_class = {name: [split for label, split in wanted.photos.values() if label == name] for name in case.classes}
    bad = {
        name
        for name, splits in of_class.items()
        if sum(split in ("", "train") for split in splits) < 2 + lacking
        or not all(split in splits for split in given & {"validation", "test"})
    }
    return bad or None

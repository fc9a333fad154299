"""A builder of messy data sets, which adds file after file."""

import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from itertools import count
from random import Random

from tests.training.data.messy import names
from tests.training.data.messy.oracle import Case, Item
from tests.training.data.messy.pictures import LOSSLESS, Content, ending, lossless, pool, refused, valid

Slot = tuple[str, str | None, str]
"""A folder (ending in a slash, or empty for the top), the class of the files in it, and their split."""


def _alone(label: str, stem: str) -> str:
    return stem


@dataclass
class Builder:
    """A case to which files are added, with the pictures that are not used yet."""

    random: Random
    case: Case = field(default_factory=Case)
    top: str = ""
    numbers: Iterator[int] = field(default_factory=count)
    stems: Iterator[int] = field(default_factory=count)
    stem: Callable[[str, str], str] = _alone
    pictures: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        start = self.random.randrange(len(pool()))
        self.pictures = [*range(start, len(pool())), *range(start)]

    def number(self) -> int:
        """The number of a picture that no file has yet."""
        return self.pictures.pop()

    def chance(self, probability: float) -> bool:
        """True with this probability."""
        return self.random.random() < probability

    def nfc(self, folder: str) -> str:
        """The name of the folder, sometimes with decomposed letters as macOS writes it."""
        return unicodedata.normalize("NFD", folder) if self.chance(0.3) else folder

    def name(self, label: str | None) -> str:
        """The stem of a new file; some layouts have the class in it."""
        stem = self.random.choice(names.STEMS).format(next(self.stems))
        return self.stem(label or "", self.nfc(stem))

    def put(self, folder: str, content: Content, label: str | None, split: str, suffix: str = "") -> Item:
        """Add a file to the folder."""
        item = Item(f"{folder}{self.name(label)}{suffix}", content, label, split)
        self.case.items.append(item)
        return item

    def fill(self, slots: list[Slot], least: int, most: int) -> None:
        """Add photos to every folder, among them some that must be refused."""
        for folder, label, split in slots:
            for place in range(self.random.randint(least, most)):
                if place and self.chance(0.08):
                    content, suffix = refused(self.random, self.number())
                else:
                    content = valid(self.random, self.number())
                    suffix = ending(self.random, content.format)
                self.put(folder, content, label, split, suffix)

    def copy_some(self, slots: list[Slot]) -> None:
        """Add copies of photos in any folders, with the same bytes or the same pixels in another format."""
        for _ in range(self.random.choice((0, 0, 1, 2, 3))):
            picture = self.number()
            for _ in range(self.random.randint(2, 3)):
                content = lossless(picture, self.random.choice(LOSSLESS))
                folder, label, split = self.random.choice(slots)
                self.put(folder, content, label, split, ending(self.random, content.format))

    def make_twins(self) -> None:
        """Give two files of different classes pictures whose files have the same size."""
        places = [
            place for place, item in enumerate(self.case.items) if item.label and not (item.silent or item.several)
        ]
        self.random.shuffle(places)
        items = self.case.items
        twin = next((place for place in places if items[place].label != items[places[0]].label), None)
        sizes = {pool()[number].size: number for number in self.pictures[:-1]}
        same = [
            (sizes[pool()[number].size], number) for number in self.pictures if sizes[pool()[number].size] != number
        ]
        if twin is not None:
            for place, number in zip((places[0], twin), same[0], strict=True):
                items[place] = replace(items[place], content=lossless(number, "BMP"))
            self.case.twins = (items[places[0]].name, items[twin].name)

"""A data set that grows file by file, with what is known of each."""

import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from itertools import count
from random import Random

from tests.training.data import messy_names as names
from tests.training.data.messy import Case, Item
from tests.training.data.messy_pictures import LOSSLESS, Content, ending, lossless, pool, refused, sound

Slot = tuple[str, str | None, str]
"""A folder (ending in a slash, or empty for the top), the class of the files in it, and their split."""


def _alone(label: str, stem: str) -> str:
    return stem


@dataclass
class Builder:
    """A case that grows, with the pictures that are left to use."""

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
        """A picture that no file has yet."""
        return self.pictures.pop()

    def chance(self, probability: float) -> bool:
        """True so often."""
        return self.random.random() < probability

    def nfc(self, folder: str) -> str:
        """Now and then as macOS writes it."""
        return unicodedata.normalize("NFD", folder) if self.chance(0.3) else folder

    def name(self, label: str | None) -> str:
        """The stem of a new file, with its class in it where the layout has it there."""
        own = self.random.choice(names.STEMS).format(next(self.stems))
        return self.stem(label or "", self.nfc(own))

    def put(self, folder: str, content: Content, label: str | None, split: str, suffix: str = "") -> Item:
        """Add a file."""
        item = Item(f"{folder}{self.name(label)}{suffix}", content, label, split)
        self.case.items.append(item)
        return item

    def fill(self, slots: list[Slot], least: int, most: int) -> None:
        """Photos in each folder, among them some that must be refused."""
        for folder, label, split in slots:
            for place in range(self.random.randint(least, most)):
                if place and self.chance(0.08):
                    content, suffix = refused(self.random, self.number())
                else:
                    content = sound(self.random, self.number())
                    suffix = ending(self.random, content.format)
                self.put(folder, content, label, split, suffix)

    def copy_some(self, slots: list[Slot]) -> None:
        """Copies in the same folder or another, byte by byte or in another format of the same pixels."""
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
        other = next((place for place in places if items[place].label != items[places[0]].label), None)
        sizes = {pool()[number].size: number for number in self.pictures[:-1]}
        same = [
            (sizes[pool()[number].size], number) for number in self.pictures if sizes[pool()[number].size] != number
        ]
        if other is not None:
            for place, number in zip((places[0], other), same[0], strict=True):
                items[place] = replace(items[place], content=lossless(number, "BMP"))
            self.case.twins = (items[places[0]].name, items[other].name)

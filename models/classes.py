"""Finding a class by what a person calls it."""

import difflib
import re
import unicodedata
from collections import defaultdict
from collections.abc import Sequence
from functools import cache
from importlib import resources


class UnknownClass(LookupError):
    """No class, or more than one, goes by this name."""


def normal_form(name: str) -> str:
    """Lower case, with `_`, `-` and spaces alike: `Siamese_cat` and `siamese cat` are one name.

    Letters are composed (NFC): macOS writes `ä` as two characters, other systems as one.
    """
    return re.sub(r"[\s_-]+", " ", unicodedata.normalize("NFC", name)).strip().casefold()


@cache
def imagenet_synonyms() -> tuple[tuple[str, ...], ...]:
    """WordNet's names of ImageNet-1k's classes, in index order; the file has one class per line, `|` between names."""
    lines = resources.files("models").joinpath("imagenet_synonyms.txt").read_text(encoding="utf-8").splitlines()
    return tuple(tuple(line.split("|")) for line in lines)


class ClassNames:
    """The classes of one model in index order, found by name, ImageNet synonym or index."""

    def __init__(self, classes: Sequence[str]) -> None:
        self.classes = tuple(classes)
        self._indices: dict[str, list[int]] = defaultdict(list)
        for index, name in enumerate(self.classes):
            self._indices[normal_form(name)].append(index)
        if len(self.classes) == len(imagenet_synonyms()):
            self._add_synonyms()

    def _add_synonyms(self) -> None:
        own = set(self._indices)
        for index, names in enumerate(imagenet_synonyms()):
            for name in map(normal_form, names):
                # A class's own name wins over another's synonym; names that are not ImageNet's get no synonyms.
                if self._is_imagenet and name not in own and index not in self._indices[name]:
                    self._indices[name].append(index)

    @property
    def _is_imagenet(self) -> bool:
        return normal_form(self.classes[0]) == "tench"

    def find(self, text: str) -> int:
        """The index of the class that `text` names; names go before indices, since a class may be called `3`.

        A name letter by letter goes before its likeness: ImageNet has a dog `Cardigan` and a garment `cardigan`.
        Raises UnknownClass, whose message lists the nearest names.
        """
        if re.fullmatch(r"[0-9]{1,6}", text.strip()) and normal_form(text) not in self._indices:
            return self.by_index(int(text))
        return self.by_name(text)

    def by_name(self, text: str) -> int:
        """The index of the class that is called so, digits too: another model's class `3` has no index here.

        Raises UnknownClass.
        """
        if self.classes.count(text) == 1:
            return self.classes.index(text)
        indices = self._indices.get(normal_form(text), [])
        if not indices:
            raise UnknownClass(f"no class is called {text[:100]!r}{self._suggestion(text[:100])}")
        if len(indices) > 1:
            raise UnknownClass(f"{text!r} names {len(indices)} classes: give the index, one of {indices}")
        return indices[0]

    def by_index(self, index: int) -> int:
        """The index itself, if there is a class of it; raises UnknownClass."""
        if 0 <= index < len(self.classes):
            return index
        raise UnknownClass(f"there is no class {index}: the indices are 0 to {len(self.classes) - 1}")

    def _suggestion(self, text: str) -> str:
        near = difflib.get_close_matches(normal_form(text), self._indices, n=3, cutoff=0.5)
        near = near or list(self.classes[:5])
        return f"; near are: {', '.join(near)}"

"""Finding a class of a model by its name, an ImageNet synonym, its WordNet ID or its index."""

import difflib
import re
import unicodedata
from collections import defaultdict
from collections.abc import Sequence
from functools import cache, cached_property
from importlib import resources

IMAGENET_FIRST = "tench"
"""Name of the first ImageNet class, by which a model of 1000 classes is recognised as one of ImageNet.

Other names may follow it: the class is called "tench, Tinca tinca" on the Hugging Face Hub.
"""


class UnknownClass(LookupError):
    """No class has this name or index, or more than one class has this name."""


def normal_form(name: str) -> str:
    """The form in which names are compared: `Siamese_cat` and `siamese cat` have the same.

    Letters are in lower case and composed (NFC), since macOS writes `ä` as two characters and other systems as one.
    `_`, `-` and spaces become one space.
    """
    return re.sub(r"[\s_-]+", " ", unicodedata.normalize("NFC", name)).strip().casefold()


@cache
def imagenet_synonyms() -> tuple[tuple[str, ...], ...]:
    """WordNet's names of the 1000 ImageNet classes, in the order of the indices.

    The file has one class per line, with `|` between its names.
    """
    lines = resources.files("models").joinpath("imagenet_synonyms.txt").read_text(encoding="utf-8").splitlines()
    return tuple(tuple(line.split("|")) for line in lines)


@cache
def imagenet_wordnet_ids() -> dict[str, int]:
    """The index of each of the 1000 ImageNet classes by its WordNet ID, as which ImageNet's own folders are named."""
    lines = resources.files("models").joinpath("imagenet_wordnet_ids.txt").read_text(encoding="utf-8").splitlines()
    return {line: index for index, line in enumerate(lines)}


class ClassNames:
    """The classes of one model, in the order of the indices, to be found by name, ImageNet synonym, ID or index."""

    def __init__(self, classes: Sequence[str]) -> None:
        self.classes = tuple(classes)
        self._indices: dict[str, list[int]] = defaultdict(list)
        for index, name in enumerate(self.classes):
            self._indices[normal_form(name)].append(index)
        first = normal_form(self.classes[0]).partition(",")[0] if self.classes else ""
        self._is_imagenet = len(self.classes) == len(imagenet_synonyms()) and first == IMAGENET_FIRST
        if self._is_imagenet:
            self._add_synonyms()

    def _add_synonyms(self) -> None:
        own = set(self._indices)
        for index, names in enumerate(imagenet_synonyms()):
            for name in map(normal_form, names):
                # A class's own name wins over another's synonym.
                if name not in own and index not in self._indices[name]:
                    self._indices[name].append(index)

    @cached_property
    def synonyms(self) -> tuple[tuple[str, ...], ...]:
        """For each class the other names by which `find` finds it; empty unless the classes are those of ImageNet."""
        if not self._is_imagenet:
            return ()
        return tuple(tuple(self._synonyms(index, names)) for index, names in enumerate(imagenet_synonyms()))

    def _synonyms(self, index: int, names: Sequence[str]) -> list[str]:
        """Those of WordNet's names of the class that mean it and no other, without its own name."""
        by_form: dict[str, str] = {}
        for name in names:
            by_form.setdefault(normal_form(name), name)
        by_form.pop(normal_form(self.classes[index]), None)
        return [name for name in by_form.values() if self._means(name, index)]

    def _means(self, name: str, index: int) -> bool:
        try:
            return self.find(name) == index
        except UnknownClass:  # it names two classes
            return False

    def find(self, text: str) -> int:
        """The index of the class that `text` names; a number is an index unless a class has it as its name.

        Exactly the same name is preferred to the same normal form: ImageNet has a dog `Cardigan` and a garment
        `cardigan`. A WordNet ID of ImageNet such as `n01440764`, unless it is a name itself, means the class with the
        names that WordNet has for it. Raises UnknownClass, whose message lists the nearest names.
        """
        if re.fullmatch(r"[0-9]{1,6}", text.strip()) and normal_form(text) not in self._indices:
            return self.by_index(int(text))
        return self.by_name(text)

    def by_name(self, text: str) -> int:
        """The index of the class with this name; `3` is a name here too, and never an index. Raises UnknownClass."""
        if self.classes.count(text) == 1:
            return self.classes.index(text)
        indices = self._indices.get(normal_form(text)) or self._by_wordnet_id(normal_form(text))
        if not indices:
            raise UnknownClass(f"no class is called {text[:100]!r}{self._suggestion(text[:100])}")
        if len(indices) > 1:
            raise UnknownClass(f"{text!r} names {len(indices)} classes: give the index, one of {indices}")
        return indices[0]

    def _by_wordnet_id(self, text: str) -> list[int]:
        """The classes that an ImageNet ID means: if not all of ImageNet's are there, by WordNet's names for it."""
        index = imagenet_wordnet_ids().get(text)
        if index is None or self._is_imagenet:
            return [] if index is None else [index]
        names = imagenet_synonyms()[index]
        forms = map(normal_form, (*names, ", ".join(names)))
        return sorted({found for form in forms for found in self._indices.get(form, [])})

    def by_index(self, index: int) -> int:
        """The index itself; raises UnknownClass if no class has it."""
        if 0 <= index < len(self.classes):
            return index
        raise UnknownClass(f"there is no class {index}: the indices are 0 to {len(self.classes) - 1}")

    def _suggestion(self, text: str) -> str:
        near = difflib.get_close_matches(normal_form(text), self._indices, n=3, cutoff=0.5)
        near = near or list(self.classes[:5])
        return f"; similar names: {', '.join(near)}"

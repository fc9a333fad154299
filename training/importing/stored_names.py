"""The names of classes in a file: under which keys training scripts store them, and in which forms."""

import re
from collections.abc import Mapping
from typing import Any

CLASSES = ("idx_to_class", "id2label", "class_to_idx", "label2id", "classes", "class_names", "categories", "labels")
"""Keys under which training scripts store the names of the classes; first those of mappings, which have the indices."""
BY_INDEX = ("idx_to_class", "id2label")
"""Those of mappings from indices to names."""


def stored_names(loaded: Mapping[Any, Any]) -> tuple[tuple[str, ...] | None, tuple[str, ...]]:
    """The names of the classes in a file, in the order of their indices, and a warning where it has them twice."""
    entries = ((key, names_in(loaded.get(key), by_index=key in BY_INDEX)) for key in CLASSES)
    found = [(key, names) for key, names in entries if names is not None]
    if not found:
        return None, ()
    key, names = found[0]
    if differing := [other for other, others in found if others != names]:
        warning = f"the names of the classes under {differing[0]} in the file differ from those under {key}, or are in "
        return names, (f"{warning}another order: those under {key} are taken",)
    return names, ()


def names_in(value: Any, *, by_index: bool = False) -> tuple[str, ...] | None:
    """Names from a list of names, a mapping from indices to names, or one from names to indices; None for others.

    With `by_index` the keys of a mapping are the indices, also where the names are numbers.
    """
    if isinstance(value, list | tuple) and value and all(isinstance(name, str) for name in value):
        return tuple(value)
    if not isinstance(value, Mapping) or not value:
        return None
    if by_index and all(isinstance(name, int) for name in value.values()):
        value = {index: str(name) for index, name in value.items()}
    if all(isinstance(name, str) and isinstance(index, int) for name, index in value.items()):
        pairs = [(index, name) for name, index in value.items()]
    elif all(re.fullmatch("[0-9]{1,9}", str(index)) and isinstance(name, str) for index, name in value.items()):
        pairs = [(int(index), name) for index, name in value.items()]
    else:
        return None
    ordered = sorted(pairs)
    return tuple(name for _, name in ordered) if [index for index, _ in ordered] == list(range(len(pairs))) else None

"""Similar class names: names that a reader, or a program that ignores case, would confuse."""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Sequence

LOOKALIKES = str.maketrans(
    # Cyrillic, then Greek letters that look like Latin ones in most fonts (Unicode Technical Standard 39, confusables).
    "аеорсухіјѕһԁԛԝѵвкмнтгпо" "αονικτρυχεημβζ",
    "aeopcyxijshdqwvbkmhtrno" "aoviktpuxenmbz",
)  # fmt: skip
MAX_WARNINGS = 10
"""Largest number of groups of similar names that are reported."""


def groups_of_similar_names(names: Sequence[str]) -> list[tuple[str, ...]]:
    """Groups of names that differ only in case, width, spaces, invisible characters or letters that look the same."""
    groups: dict[str, list[str]] = defaultdict(list)
    for name in dict.fromkeys(names):
        groups[skeleton(name)].append(name)
    return [tuple(group) for group in groups.values() if len(group) > 1]


def skeleton(name: str) -> str:
    """The name without any difference that a reader may overlook: similar names have the same skeleton."""
    text = unicodedata.normalize("NFKC", name).casefold()
    text = "".join(character for character in text if unicodedata.category(character) != "Cf")
    return re.sub(r"[\s_-]+", " ", text).strip().translate(LOOKALIKES)


def similar_name_warnings(names: Sequence[str]) -> list[str]:
    """A warning for each group of classes that may be one class spelt in several ways."""
    groups = groups_of_similar_names(names)
    lines = [
        f"warning: the classes {' and '.join(_describe(name) for name in group)} differ only in {_difference(group)}. "
        f"If they are one class, move their photos into one folder; otherwise give them clearer names, such as "
        f"--rename {_argument(group[-1])}"
        for group in groups[:MAX_WARNINGS]
    ]
    return lines + (
        [f"warning: {len(groups) - MAX_WARNINGS} more groups of classes have names as similar as these"]
        if len(groups) > MAX_WARNINGS
        else []
    )


def _argument(name: str) -> str:
    text = f"{name}=NAME"
    return f"'{text}'" if re.search(r"[^\w=.-]", text) else text


def _describe(name: str) -> str:
    """The name, and the scripts of its letters where some of them are not Latin."""
    scripts = {unicodedata.name(letter, "?").split(" ")[0] for letter in name if letter.isalpha()}
    return repr(name) if scripts <= {"LATIN"} else f"{name!r} ({', '.join(sorted(scripts)).title()} letters)"


def _difference(group: Sequence[str]) -> str:
    if len({name.casefold() for name in group}) == 1:
        return "upper and lower case"
    if len({unicodedata.normalize("NFKC", name).casefold() for name in group}) == 1:
        return "the width or form of their characters"
    if len({re.sub(r"[\s_-]+", " ", name).strip().casefold() for name in group}) == 1:
        return "spaces, hyphens and underscores"
    return "letters that look the same, or characters that cannot be seen"

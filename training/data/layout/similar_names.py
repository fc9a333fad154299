"""Class names that a person, or a program that ignores case, would take for one another."""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Sequence

LOOK_ALIKES = str.maketrans(
    # Cyrillic, then Greek letters that look like Latin ones in most fonts (Unicode Technical Standard 39, confusables).
    "аеорсухіјѕһԁԛԝѵвкмнтгпо" "αονικτρυχεημβζ",
    "aeopcyxijshdqwvbkmhtrno" "aoviktpuxenmbz",
)  # fmt: skip
NAMED = 10
"""Groups of look-alikes that are told."""


def lookalikes(names: Sequence[str]) -> list[tuple[str, ...]]:
    """Groups of names that differ only in case, width, spaces, invisible characters or letters that look alike."""
    groups: dict[str, list[str]] = defaultdict(list)
    for name in dict.fromkeys(names):
        groups[skeleton(name)].append(name)
    return [tuple(group) for group in groups.values() if len(group) > 1]


def skeleton(name: str) -> str:
    """What is left of a name when everything is gone that the eye may miss."""
    text = unicodedata.normalize("NFKC", name).casefold()
    text = "".join(character for character in text if unicodedata.category(character) != "Cf")
    return re.sub(r"[\s_-]+", " ", text).strip().translate(LOOK_ALIKES)


def warnings(names: Sequence[str]) -> list[str]:
    """A line for each group of classes that may be one class spelt in several ways."""
    groups = lookalikes(names)
    lines = [
        f"warning: the classes {' and '.join(_shown(name) for name in group)} differ only in {_difference(group)}: if "
        f"they are one class, move their photos into one folder; else give them clearer names, as in --rename "
        f"{_argument(group[-1])}"
        for group in groups[:NAMED]
    ]
    return lines + (
        [f"warning: {len(groups) - NAMED} more groups of classes differ as little"] if len(groups) > NAMED else []
    )


def _argument(name: str) -> str:
    text = f"{name}=NAME"
    return f"'{text}'" if re.search(r"[^\w=.-]", text) else text


def _shown(name: str) -> str:
    """The name, with its letters named where it has some of another script."""
    scripts = {unicodedata.name(letter, "?").split(" ")[0] for letter in name if letter.isalpha()}
    return repr(name) if scripts <= {"LATIN"} else f"{name!r} ({', '.join(sorted(scripts)).title()} letters)"


def _difference(group: Sequence[str]) -> str:
    if len({name.casefold() for name in group}) == 1:
        return "upper and lower case"
    if len({unicodedata.normalize("NFKC", name).casefold() for name in group}) == 1:
        return "the width or form of their characters"
    if len({re.sub(r"[\s_-]+", " ", name).strip().casefold() for name in group}) == 1:
        return "spaces, hyphens and underscores"
    return "letters that look alike, or characters that cannot be seen"

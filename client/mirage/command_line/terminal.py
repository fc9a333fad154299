"""What is written to the terminal: two consoles, and texts from outside made harmless."""

import dataclasses
import json
import sys
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any, cast

from PIL import Image
from rich.console import Console
from rich.text import Text

out: Console = Console(highlight=False, markup=False, soft_wrap=False)
"""Results: for people where standard output is a terminal."""
err: Console = Console(stderr=True, highlight=False, markup=False)
"""Everything else: progress and errors, so that standard output holds results alone."""


def printable(text: str) -> Text:
    """A text from outside, such as a file's name or a class, in which nothing can control the terminal."""
    return Text("".join(map(_printable, text)))


def plain(text: object) -> str:
    """The same as a `str`, for texts that are put together."""
    return printable(str(text)).plain


def _printable(letter: str) -> str:
    """The letter, or its escape if it moves the cursor, changes the direction of writing, or cannot be encoded."""
    if unicodedata.category(letter) in ("Cc", "Cf", "Cs", "Zl", "Zp"):
        return letter.encode("unicode_escape", "surrogatepass").decode("ascii")
    return letter


def shows_letters(console: Console, letters: str) -> bool:
    """Whether the terminal's encoding has these letters."""
    try:
        letters.encode(console.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def write_json(value: object) -> None:
    """Write a value as one line of JSON to standard output, in ASCII, which every console and program reads."""
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()


def figures(result: Any) -> Any:
    """A result as values for JSON, without its pictures."""
    if dataclasses.is_dataclass(result):
        pairs = ((field.name, getattr(result, field.name)) for field in dataclasses.fields(result))
        return {name: figures(value) for name, value in pairs if name != "files" and not isinstance(value, Image.Image)}
    if isinstance(result, Mapping):
        return {name: figures(value) for name, value in cast(Mapping[str, Any], result).items()}
    if isinstance(result, tuple | list):
        return [figures(item) for item in cast(Sequence[Any], result)]
    return result

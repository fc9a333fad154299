"""File names in archives as text: separators of all systems, and guessing the encoding where it is not UTF-8."""

import codecs
import unicodedata
from collections.abc import Iterable
from functools import cache
from itertools import pairwise

import chardet

CODE_PAGES = {
    "cp437": 1.1,  # DOS, and the fallback of most zip programs in western Europe and America
    "cp1252": 1.5,
    **dict.fromkeys(("cp850", "cp852", "cp857", "cp866", "cp737"), 1.0),
    **dict.fromkeys(("cp1250", "cp1251", "cp1253", "cp1254", "cp1255", "cp1256", "cp1257", "cp1258", "cp874"), 1.0),
    **dict.fromkeys(("gb18030", "cp932", "big5", "cp949"), 1.0),
}
"""The code pages in which systems write file names, each with the weight of its guess: where two code pages explain a
name about equally well (`niño` in cp1252 is `nińo` in cp1250), the more common one is chosen."""
SCRIPTS = ("LATIN", "GREEK", "CYRILLIC", "HEBREW", "ARABIC", "THAI", "CJK", "HIRAGANA", "KATAKANA", "HANGUL")
EAST_ASIAN = {"CJK", "HIRAGANA", "KATAKANA", "HANGUL"}


class UnknownEncoding(LookupError):
    """No text encoding has this name."""


def clean_path(name: str) -> str:
    """The path with `/` between folders and without empty, `.` or `..` parts; the name of a folder still ends in `/`.

    PowerShell 5, .NET and other Windows programs write backslashes; `tar -C folder .` writes `./` before each name.
    """
    parts: list[str] = []
    for part in name.replace("\\", "/").split("/"):
        if part == "..":
            del parts[-1:]
        elif part not in ("", "."):
            parts.append(part)
    return "/".join(parts) + ("/" if parts and name.endswith(("/", "\\")) else "")


def decode_name(raw: bytes, encoding: str) -> str:
    """Decode a name. Invalid bytes become surrogates, from which they can be restored."""
    return raw.decode(encoding, "surrogateescape")


def canonical_encoding(encoding: str) -> str:
    """The name of the encoding in Python; raises UnknownEncoding."""
    try:
        return codecs.lookup(encoding).name
    except LookupError as error:
        raise UnknownEncoding(f"there is no text encoding {encoding!r}") from error


def guess_encoding(names: Iterable[bytes]) -> str:
    """The most likely encoding of the names in one archive: UTF-8 if all of them are valid UTF-8.

    Otherwise chardet's most likely code page in which the names are words: short names mislead any detector.
    """
    words = _distinct_words(names)
    if all(_is_valid(word, "utf-8") for word in words):
        return "utf-8"
    sample = b"\n".join(words)
    ranked = sorted(
        (
            (guess["confidence"] * CODE_PAGES[page], page)
            for guess in chardet.detect_all(sample, ignore_threshold=True, include_encodings=list(CODE_PAGES))
            if guess["encoding"] and (page := _page(guess["encoding"])) in CODE_PAGES
        ),
        reverse=True,
    )
    valid = [page for _, page in ranked if all(_is_valid(word, page) for word in words)]
    # Split at backslashes only after decoding: in East Asian code pages many characters end in that byte (`表`).
    readable = [
        page for page in valid if all(_is_word(part) for word in words for part in word.decode(page).split("\\"))
    ]
    return next(iter([*readable, *valid]), "cp437")


def _distinct_words(names: Iterable[bytes]) -> list[bytes]:
    """The non-ASCII parts of the paths, each once: a folder's name counts once, not once for each of its files."""
    parts = dict.fromkeys(part for name in names for part in name.split(b"/"))
    return [part for part in parts if not part.isascii()]


def _page(encoding: str) -> str:
    name = codecs.lookup(encoding).name
    return {"big5hkscs": "big5", "gbk": "gb18030", "gb2312": "gb18030", "shift_jis": "cp932", "euc_kr": "cp949"}.get(
        name, name
    )


def _is_valid(word: bytes, encoding: str) -> bool:
    try:
        word.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True


def _is_word(text: str) -> bool:
    """Whether a person could have given this name: no symbols, mixed scripts, or capitals after small letters."""
    if any(unicodedata.category(character) in ("Cc", "Cf", "Co", "Cn") for character in text):
        return False
    letters = [character for character in text if not character.isascii()]
    if any(unicodedata.category(character)[0] not in "LM" for character in letters):
        return False
    # A wrong code page often turns an accented letter into a capital: `cafΘ`.
    if any(before.islower() and after.isupper() and not after.isascii() for before, after in pairwise(text)):
        return False
    scripts = {_script(character) for character in text if character.isalpha()}
    if scripts == {"THAI"} and not any(
        unicodedata.category(character) == "Mn" or character in "ะาำเแโใไ" for character in text
    ):
        return False  # Thai words without vowels are rare; two Chinese characters may decode to such a word
    return len(scripts - EAST_ASIAN) <= 1 and not (scripts & EAST_ASIAN and scripts - EAST_ASIAN)


@cache
def _script(character: str) -> str:
    name = unicodedata.name(character, "")
    return next((script for script in SCRIPTS if name.startswith(script)), "OTHER")

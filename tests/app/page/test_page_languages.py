"""The languages of the page: every file has the same texts, with the same placeholders, and no text is missing."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from app.page.page import FILES
from app.web.problems import STATUS, TITLES

LANGUAGES = sorted((FILES / "languages").glob("*.json"))
SCRIPTS = sorted((FILES / "scripts").rglob("*.js"))
PLURALS = {
    "bg": {"one", "other"},
    "en": {"one", "other"},
    "lt": {"one", "few", "many", "other"},
    "ro": {"one", "few", "other"},
    "ru": {"one", "few", "many", "other"},
    "sr": {"one", "few", "other"},
}
"""The plural forms of each language, by the Unicode CLDR."""
VALUE = r"(?:[^.]|\.(?=\d))+"
COMPUTED = re.compile(r"\bt\(\s*`([^`]+)`|`([a-z][\w-]*\.[^`]*\$\{[^`]*)`")
LITERAL = re.compile(r'"([a-z][\w-]*(?:\.[\w:-]+)+)"')


def read(path: Path) -> dict[str, Any]:
    """The texts of a language; a key that stands twice would silently lose its first text."""

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        keys = [key for key, _ in pairs]
        assert len(keys) == len(set(keys)), f"{path.name} has twice: {[key for key in keys if keys.count(key) > 1]}"
        return dict(pairs)

    texts: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"), object_pairs_hook=unique)
    return texts


ENGLISH = read(FILES / "languages" / "en.json")


def forms(text: Any) -> dict[str, str]:
    """The plural forms of a text; one without plural has the form `always`."""
    return {"always": text} if isinstance(text, str) else text


def placeholders(text: str) -> set[str]:
    """The names in braces."""
    return set(re.findall(r"\{(\w+)\}", text))


def test_the_languages_are_those_that_the_page_offers() -> None:
    script = (FILES / "scripts" / "language.js").read_text(encoding="utf-8")
    offered = re.search(r"LANGUAGES = .*?\(\{(.*?)\}\)", script, re.DOTALL)
    assert offered is not None
    assert sorted(re.findall(r"^\s+(\w\w):", offered[1], re.MULTILINE)) == [path.stem for path in LANGUAGES]
    assert {path.stem for path in LANGUAGES} == PLURALS.keys()


@pytest.mark.parametrize("path", LANGUAGES, ids=lambda path: path.stem)
def test_a_language_has_every_text_with_its_placeholders_and_plural_forms(path: Path) -> None:
    texts = read(path)
    assert list(texts) == list(ENGLISH), "the keys of each file are those of en.json, in the same order"
    for key, text in texts.items():
        english = forms(ENGLISH[key])
        if "always" in english:
            assert isinstance(text, str), f"{key} has no plural forms in English"
            assert placeholders(text) == placeholders(english["always"]), key
        else:
            assert forms(text).keys() == PLURALS[path.stem], key
            expected = set.union(*map(placeholders, english.values()))
            for form, wording in forms(text).items():
                missing = expected - placeholders(wording)
                assert placeholders(wording) <= expected and missing <= {"count"}, f"{key}, {form}"
        assert all(wording.strip() == wording != "" for wording in forms(text).values()), key


@pytest.mark.parametrize("path", LANGUAGES, ids=lambda path: path.stem)
def test_texts_contain_no_html(path: Path) -> None:
    for key, text in read(path).items():
        assert not any(re.search(r"</?[a-z]|&\w+;", wording) for wording in forms(text).values()), key


def used_keys() -> tuple[set[str], list[re.Pattern[str]]]:
    """The keys that the scripts name, and patterns of those that they compute from a value: t(`why.${method}`)."""
    sources = [path.read_text(encoding="utf-8") for path in SCRIPTS]
    literal = {key for source in sources for key in LITERAL.findall(source)}
    computed = [one or other for source in sources for one, other in COMPUTED.findall(source)]
    parts = [[re.escape(part) for part in re.split(r"\$\{[^}]*\}", template)] for template in computed]
    # A value is one part of a key, which may be a number; only at the beginning of a key may it be several.
    return literal, [
        re.compile((".+" if not first else first + VALUE) + VALUE.join(others)) for first, *others in parts
    ]


def test_every_text_that_the_scripts_name_exists_and_every_text_is_used() -> None:
    literal, patterns = used_keys()
    calls = {key for path in SCRIPTS for key in re.findall(r'\bt\(\s*"([^"]+)"', path.read_text(encoding="utf-8"))}
    assert sorted(calls - ENGLISH.keys()) == []
    unused = [key for key in ENGLISH if key not in literal and not any(p.fullmatch(key) for p in patterns)]
    assert unused == []


def test_no_text_stands_in_the_scripts() -> None:
    """What stands between tags of a template is a placeholder, a sign or a name, not a text to translate."""
    between = re.compile(r">\s*([A-Za-z][A-Za-z ,.]{3,})\s*<")
    comments = re.compile(r"/\*.*?\*/|^\s*//.*?$", re.DOTALL | re.MULTILINE)
    sources = {path.name: comments.sub("", path.read_text(encoding="utf-8")) for path in SCRIPTS}
    found = [(name, text) for name, source in sources.items() for text in between.findall(source)]
    assert [(name, text) for name, text in found if text not in {"Mirage"}] == []


def test_the_problems_with_a_sentence_are_those_of_the_service() -> None:
    """Other problems have a sentence for all, and what the service says of them."""
    kinds = {re.sub(r"(?<!^)(?=[A-Z])", "-", error.__name__).lower() for error in STATUS}
    kinds |= {title.replace(" ", "-").lower() for title in TITLES.values()}
    own = {"no-answer", "page", "other", "request-id"}
    assert {key.removeprefix("problem.") for key in ENGLISH if key.startswith("problem.")} - own <= kinds

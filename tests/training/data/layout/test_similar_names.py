import pytest

from training.data.layout.similar_names import groups_of_similar_names, similar_name_warnings


@pytest.mark.parametrize(
    ("one", "other", "difference"),
    [
        ("cat", "Cat", "upper and lower case"),
        ("Straße", "STRASSE", "upper and lower case"),
        ("cat", "ｃａｔ", "the width or form"),
        ("cat²", "cat2", "the width or form"),
        ("cat", "сat", "letters that look the same"),
        ("AB", "ΑΒ", "letters that look the same"),
        ("sea_lion", "sea lion", "spaces, hyphens and underscores"),
        ("cat", "cat ", "spaces, hyphens and underscores"),
        ("cat", "c\u200bat", "characters that cannot be seen"),
    ],
)
def test_names_that_the_eye_takes_for_one_are_told(one: str, other: str, difference: str) -> None:
    assert groups_of_similar_names([one, "zebra", other]) == [(one, other)]
    (line,) = similar_name_warnings([one, other])
    assert difference in line and "--rename" in line


def test_letters_of_another_script_are_named() -> None:
    (line,) = similar_name_warnings(["cat", "сat"])
    assert "'сat' (Cyrillic, Latin letters)" in line


def test_names_that_merely_resemble_each_other_are_not() -> None:
    assert similar_name_warnings(["cat", "cut", "cart", "кот", "Käse", "Kase", "1", "l"]) == []


def test_of_many_a_few_are_told() -> None:
    lines = similar_name_warnings([name for number in range(26) for name in (chr(65 + number), chr(97 + number))])
    assert len(lines) == 11 and lines[-1] == "warning: 16 more groups of classes have names as similar as these"

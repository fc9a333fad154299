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
def test_a_warning_names_how_similar_names_differ(one: str, other: str, difference: str) -> None:
    assert groups_of_similar_names([one, "zebra", other]) == [(one, other)]
    (line,) = similar_name_warnings([one, other])
    assert difference in line and "--rename" in line


def test_letters_of_another_script_are_named() -> None:
    (line,) = similar_name_warnings(["cat", "сat"])
    assert "'сat' (Cyrillic, Latin letters)" in line


def test_there_is_no_warning_of_names_that_are_easy_to_distinguish() -> None:
    assert similar_name_warnings(["cat", "cut", "cart", "кот", "Käse", "Kase", "1", "l"]) == []


def test_at_most_ten_groups_of_similar_names_are_listed() -> None:
    lines = similar_name_warnings([name for number in range(26) for name in (chr(65 + number), chr(97 + number))])
    assert len(lines) == 11 and lines[-1] == "warning: 16 more groups of classes have names as similar as these"

"""Texts as Markdown: nothing in them is read as a mark, and options of several attacks become lists."""

from docsite.markdown import definition, escape, paragraphs, table


def test_only_code_in_backticks_is_a_mark() -> None:
    assert escape("a*b <c> [d] | `e|f_*`") == r"a\*b \<c\> \[d\] \| `e\|f_*`"


def test_an_underscore_inside_a_word_is_no_mark() -> None:
    assert escape("mi_fgsm and _mark_") == r"mi_fgsm and \_mark\_"


def test_a_text_is_one_line() -> None:
    assert escape(" one\n  two ") == "one two"


def test_a_table_has_a_line_for_each_row() -> None:
    assert table(("a", "b"), [("1", "2")]) == ["| a | b |", "|---|---|", "| 1 | 2 |", ""]


def test_the_paragraphs_of_a_definition_are_indented() -> None:
    assert definition("`x`", ["a number"], ["First.", "- second"]) == [
        *("`x` — a number", ": First.", ""),
        *("  - second", ""),
    ]


def test_what_an_option_means_for_each_attack_is_a_list() -> None:
    """The text is made like those of the service: an introduction, one part per attack, and the bounds."""
    text = (
        "Steps. For pgd and apgd: Number of steps. More are stronger. For square: Queries. A whole number from 1 to 9."
    )
    assert paragraphs(text) == [
        "Steps.",
        "- `pgd`, `apgd`: Number of steps. More are stronger.",
        "- `square`: Queries.",
        "A whole number from 1 to 9.",
    ]


def test_a_text_about_one_attack_is_no_list() -> None:
    """ "For pgd." at the end says where an option applies, and begins no part."""
    assert paragraphs("Number of runs. For pgd and apgd. Default: 1.") == [
        "Number of runs. For pgd and apgd. Default: 1."
    ]

"""Texts of anybody's in Markdown: they stay in their place, whatever they contain."""

import pytest

from training.report.markdown import block, code, plain, table


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("cat", "`cat`"),
        ("tree frog", "`tree frog`"),
        ("a`b", "`` a`b ``"),
        ("two\nlines", "`two lines`"),
        ("<img src=x>", "`<img src=x>`"),
        ("\x1b[31mred\u202eder", "`[31mred der`"),
        ("می\u200cخواهم 👩\u200d🔬", "`می\u200cخواهم 👩\u200d🔬`"),
    ],
)
def test_code_in_a_line(text: str, expected: str) -> None:
    """In Markdown two marks begin and end code that has one mark inside."""
    assert code(text) == expected


def test_a_block_is_longer_than_what_is_in_it() -> None:
    """Its fence has one mark more than the longest row of marks inside."""
    assert block("python -m training") == "```\npython -m training\n```"
    assert block("a\x1b[31m\nb") == "```\na?[31m\nb\n```"
    assert block("a ``` b ```` c") == "`````\na ``` b ```` c\n`````"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Apache-2.0", "Apache-2.0"),
        ("BSD-3-Clause (torchvision)", "BSD-3-Clause (torchvision)"),
        ("<script>", r"\<script>"),
        ("[MIT](http://x)", r"\[MIT](http://x)"),
        ("MIT\n\n# heading", "MIT # heading"),
        ("\x1b]0;title\x07MIT\u202eTIM", "]0;title MIT TIM"),
        ("*bold* `code` a_b", r"\*bold\* \`code\` a\_b"),
    ],
)
def test_plain_text_begins_no_html_and_no_link(text: str, expected: str) -> None:
    assert plain(text) == expected


def test_a_cell_stays_in_its_row() -> None:
    assert table(("a", "b"), [("1|2", "x\ny")]) == "| a | b |\n| --- | --- |\n| 1\\|2 | x y |"

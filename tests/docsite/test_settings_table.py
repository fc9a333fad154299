"""The table of the settings."""

import pytest

from app.settings import Settings
from docsite.settings_table import MARK, PAGE, default, settings_table, with_table


def test_the_table_in_the_repository_is_that_of_the_code() -> None:
    """`python -m docsite`, which `make docs` runs too, writes it again."""
    text = PAGE.read_text(encoding="utf-8")
    assert with_table(text, MARK, settings_table()) == text, "run .venv/bin/python -m docsite"


@pytest.mark.parametrize("name", Settings.model_fields)
def test_every_setting_has_a_row(name: str) -> None:
    (row,) = [line for line in settings_table() if line.startswith(f"| `MIRAGE_{name.upper()}` |")]
    assert row.count(" | ") == 2


@pytest.mark.parametrize(
    ("name", "value", "shown"),
    [
        ("port", 8000, "`8000`"),
        ("reload_s", 2.0, "`2`"),
        ("api_keys", (), "none"),
        ("forwarded_allow_ips", ("127.0.0.1", "10.0.0.1"), "`127.0.0.1,10.0.0.1`"),
        ("cache", None, "`~/.cache/mirage`"),
    ],
)
def test_a_default_is_written_as_in_the_environment(name: str, value: object, shown: str) -> None:
    assert default(name, value) == shown


def test_a_page_without_the_comments_is_refused() -> None:
    with pytest.raises(LookupError, match="once, not 0 times"):
        with_table("# Settings", "settings", [])

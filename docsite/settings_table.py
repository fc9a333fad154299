"""The table of the settings in docs/reference/settings.md, from the descriptions in app/settings.py."""

import re
from pathlib import Path
from typing import Any

from app.settings import Settings
from docsite.markdown import code, escape, table

PAGE = Path(__file__).parent.parent / "docs" / "reference" / "settings.md"
"""The page with the table. It is in the repository, so that it can be read without building the site."""
MARK = "settings"
"""Name of the comments between which the table stands."""
IN_WORDS = {
    "memory": "four fifths of the memory of the machine or container",
    "checkpoints": "`models/checkpoints`",
    "cache": "`~/.cache/mirage`",
    "models": "every checkpoint in the folder",
    "trusted_hosts": "every name",
}
"""Defaults that depend on the machine, or are values that stand for something else."""


def default(name: str, value: Any) -> str:
    """The default of a setting as it would be written in the environment, or in words."""
    if name in IN_WORDS:
        return IN_WORDS[name]
    if value in (None, "", ()):
        return "none"
    if isinstance(value, tuple):
        return code(",".join(value))
    return code(f"{value:g}" if isinstance(value, float) else str(value))


def settings_table() -> list[str]:
    """One row per setting, in the order of app/settings.py."""
    rows = []
    for name, field in Settings.model_fields.items():
        meaning = re.sub(r"(MIRAGE_[A-Z_]+|X-[A-Z][A-Za-z-]+|python -m app\.keys)", r"`\1`", field.description or "")
        rows.append((code(f"MIRAGE_{name.upper()}"), default(name, field.default), escape(meaning)))
    return table(("variable", "default", "meaning"), rows)


def with_table(text: str, name: str, lines: list[str]) -> str:
    """The text with these lines between the comments `<!-- name -->` and `<!-- /name -->`."""
    body = "\n".join(lines).strip()
    pattern = rf"(<!-- {re.escape(name)} -->).*?(<!-- /{re.escape(name)} -->)"
    new, count = re.subn(pattern, lambda match: f"{match[1]}\n\n{body}\n\n{match[2]}", text, flags=re.DOTALL)
    if count != 1:
        raise LookupError(
            f"the page must have the comments <!-- {name} --> and <!-- /{name} --> once, not {count} times"
        )
    return new

"""The table "Where is it decided?" of the architecture page leads to files that have the names it gives."""

import re

import pytest

from tests.integration.project import REPOSITORY


def rows() -> list[tuple[list[str], list[str]]]:
    """The files and the names of each row."""
    page = (REPOSITORY / "docs" / "explanation" / "architecture.md").read_text(encoding="utf-8")
    table = page.partition("### Where is it decided?")[2].partition("\n## ")[0]
    cells = [line.strip("|").split("|") for line in table.splitlines() if line.startswith("|")]
    return [(re.findall(r"`([\w/]+/\w+\.py)`", files), re.findall(r"`(\w+)`", names)) for _, files, names in cells[2:]]


def test_the_table_is_read() -> None:
    """Its first row is about overload."""
    assert rows()[0] == (["app/engine/admission.py"], ["Admission"])


@pytest.mark.parametrize(("files", "names"), rows())
def test_a_file_of_each_row_has_its_names(files: list[str], names: list[str]) -> None:
    """A name that is only imported does not count: it would lead to the wrong file."""
    code = "\n".join((REPOSITORY / file).read_text(encoding="utf-8") for file in files)
    code = re.sub(r"^(?:from|import) .*$", "", code, flags=re.MULTILINE)
    assert files and names
    for name in names:
        assert re.search(rf"\b{name}\b", code), f"{name} is in none of {files}"

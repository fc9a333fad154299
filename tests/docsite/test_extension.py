"""The Sphinx extension, on small sites that are built with the configuration of the repository."""

from pathlib import Path

import pytest

from docsite.diagrams import sources
from tests.integration.site import build_pages

pytest.importorskip("sphinx", reason="needs the packages of the site: make docs installs them")
pytest.importorskip("myst_nb", reason="needs the packages of the site: make docs installs them")

MODULE = '''"""A module of a user of the site."""

import os

LEVELS = 255
"""Number of levels."""


def double(value: int, *, level: float = 8 / 255) -> int:
    """Twice the `value` * 2."""
    return 2 * value
'''
"""A module that is documented well."""


def write_module(folder: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> str:
    """Write a module that the build can import, and return the page that describes it."""
    (folder / "described_module.py").write_text(text, encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(folder))
    return "# Page\n\n```{eval-rst}\n.. automodule:: described_module\n```\n"


def test_docstrings_and_signatures_are_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The signature is that of the source, the asterisk is no mark, and what the module imports is left out."""
    done = build_pages(tmp_path, {"index.md": write_module(tmp_path, monkeypatch, MODULE)})
    assert done.succeeded, done.messages
    page = (done.site / "docs" / "index.html").read_text(encoding="utf-8")
    assert "<p>Twice the <code" in page and "* 2.</p>" in page and "<p>Number of levels.</p>" in page
    assert ">8</span>" in page and ">255</span>" in page
    assert "described_module.os" not in page


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("double", MODULE.replace('    """Twice the `value` * 2."""\n', "")),
        ("LEVELS", MODULE.replace('"""Number of levels."""\n', "")),
        ("Machine", MODULE + "\n\nclass Machine:\n    speed = 3\n"),
        ("Machine.run", MODULE + '\n\nclass Machine:\n    """Runs."""\n\n    def run(self) -> None: ...\n'),
    ],
)
def test_a_public_name_without_a_docstring_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, text: str
) -> None:
    done = build_pages(tmp_path, {"index.md": write_module(tmp_path, monkeypatch, text)})
    assert not done.succeeded
    assert f"described_module.{name} has no docstring" in done.messages


def test_names_of_other_libraries_are_no_links_and_own_names_must_exist(tmp_path: Path) -> None:
    """No list of names of other libraries is at hand without the internet."""
    page = "# Page\n\n{py:class}`torch.Tensor`\n"
    assert build_pages(tmp_path / "other", {"index.md": page}).succeeded
    done = build_pages(tmp_path / "own", {"index.md": page.replace("torch.Tensor", "models.nothing.Here")})
    assert not done.succeeded and "models.nothing.Here" in done.messages


def test_a_part_that_cannot_be_generated_fails(tmp_path: Path) -> None:
    done = build_pages(tmp_path, {"index.md": "# Page\n\n<!-- command line: python -m nothing -->\n"})
    assert not done.succeeded
    assert "docs/index: 'python -m nothing' is no command line" in done.messages


def test_a_diagram_that_was_not_drawn_fails(tmp_path: Path) -> None:
    page = f"# Page\n\n```mermaid\n{sources()[0]}    C->>M: once more\n```\n"
    done = build_pages(tmp_path, {"index.md": page})
    assert not done.succeeded
    assert "run python -m docsite.diagrams" in done.messages


def test_the_title_of_a_decision_begins_with_its_number(tmp_path: Path) -> None:
    pages = {"index.md": "# Page\n\n```{toctree}\ndecisions/0007-seven\n```\n", "decisions/0007-seven.md": "# Seven\n"}
    done = build_pages(tmp_path, pages)
    assert done.succeeded, done.messages
    assert ">7. Seven</a>" in (done.site / "docs" / "index.html").read_text(encoding="utf-8")

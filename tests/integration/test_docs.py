"""The documentation agrees with the tree: files and links exist, examples run, lines can be read in a terminal."""

import re
from pathlib import Path

import pytest

from tests.integration.project import REPOSITORY

WRITTEN = [*REPOSITORY.glob("*.md"), *REPOSITORY.glob("docs/**/*.md")]
PAGES = sorted(page for page in WRITTEN if "lesson-files" not in page.parts)  # which the notebooks write
FOLDERS = (
    *("app", "client", "models", "training", "tests", "benchmarks", "docs", "docsite", "deploy", "supply_chain"),
    ".github",
)


def name_of(page: Path) -> str:
    """The page's path in the repository, which names its test."""
    return str(page.relative_to(REPOSITORY))


def prose(page: Path) -> str:
    """The text of a page without its code blocks."""
    return re.sub(r"^ *```.*?^ *```$", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_path_in_the_text_exists(page: Path) -> None:
    """Paths are in backticks, with a slash: `models/attacks/goal.py`. Capitals are a placeholder: `tests/NAME.py`."""
    for path in re.findall(rf"`((?:{'|'.join(map(re.escape, FOLDERS))})/[^`\s]*)`", prose(page)):
        if not re.search(r"(?<![A-Za-z])[A-Z]{3,}(?![A-Za-z])", path) and not any(mark in path for mark in "*<{"):
            assert (REPOSITORY / path.partition(":")[0]).exists(), f"{name_of(page)} names {path}"


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_link_leads_somewhere(page: Path) -> None:
    """The file of a relative link exists, and so does the heading of its anchor."""
    for target in re.findall(r"\]\(([^)\s]+)\)", prose(page)):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        file = page.parent / path if path else page
        assert file.exists(), f"{name_of(page)} links to {target}"
        if anchor:
            headings = re.findall(r"^#+ (.*)$", file.read_text(encoding="utf-8"), flags=re.MULTILINE)
            assert anchor in [slug(heading) for heading in headings], f"{name_of(page)} links to {target}"


def slug(heading: str) -> str:
    """The anchor that GitHub gives a heading: lower case, no punctuation, hyphens for spaces."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_lines_of_text_have_at_most_120_characters(page: Path) -> None:
    """Tables and pictures are excepted, since they cannot be wrapped."""
    for number, line in enumerate(prose(page).splitlines(), start=1):
        if not line.startswith(("|", "![")):
            assert len(line) <= 120, f"{name_of(page)}, line {number} without code blocks"


def test_the_example_of_the_architecture_page_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """At the end of the example the model takes the picture of the cat for a dog."""
    page = (REPOSITORY / "docs" / "explanation" / "architecture.md").read_text(encoding="utf-8")
    monkeypatch.chdir(REPOSITORY)
    names: dict[str, object] = {}
    for block in re.findall(r"^```python\n(.*?)^```$", page, flags=re.DOTALL | re.MULTILINE):
        exec(block, names)
    model, dog = names["model"], names["dog"]
    logits = model.classifier.logits(dog)  # type: ignore[attr-defined]
    assert model.spec.classes[logits.argmax()] == "dog"  # type: ignore[attr-defined]

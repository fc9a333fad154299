"""Rules of the source tree: tests mirror their sources, helpers are no tests, and files and folders stay small."""

import re
from pathlib import Path

from tests.integration.project import REPOSITORY

PACKAGES = ("app", "client", "docsite", "models", "soak", "supply_chain", "training")
SOURCES = [path for package in PACKAGES for path in sorted((REPOSITORY / package).rglob("*.py"))]
TESTS = sorted((REPOSITORY / "tests").rglob("*.py"))
SCRIPTS = sorted((REPOSITORY / "app" / "page" / "files" / "scripts").rglob("*.js"))
MAX_COLUMNS = 120
"""Largest number of characters of a line."""
MAX_LINES = 300
"""Largest number of lines of a source or test file."""
MAX_FILES = 20
"""Largest number of files in models/attacks, without its folder of methods, that a reader can survey."""


def relative(path: Path) -> str:
    """The path in the repository."""
    return str(path.relative_to(REPOSITORY))


def has_source(test: Path) -> bool:
    """Whether `test_goal_views.py` has a `goal_views.py`, `goal.py` or package `goal` at the mirrored place.

    `test_main.py` may also test `__main__.py`, and a helper of tests may have a test beside it.
    """
    folder = REPOSITORY / test.parent.relative_to(REPOSITORY / "tests")
    if (test.parent / f"{test.stem.removeprefix('test_')}.py").is_file():
        return True
    words = test.stem.removeprefix("test_").split("_")
    names = ["_".join(words[:count]) for count in range(1, len(words) + 1)]
    candidates = [*names, "__main__"] if names[0] == "main" else names
    return any((folder / f"{name}.py").is_file() or (folder / name / "__init__.py").is_file() for name in candidates)


def mirrored() -> list[Path]:
    """The test files but those of several parts together: in tests/integration, and of the page in a browser."""
    tests = [path for path in TESTS if path.name.startswith("test_") and "integration" not in path.parts]
    in_a_browser = "\npytestmark = pytest.mark.browser\n"
    return [path for path in tests if "page" not in path.parts or in_a_browser not in path.read_text(encoding="utf-8")]


def test_a_test_without_a_source_is_recognised() -> None:
    """The rule itself, on names of existing and of invented test files."""
    attacks = REPOSITORY / "tests" / "models" / "attacks"
    assert has_source(attacks / "test_goal.py") and has_source(attacks / "test_goal_views.py")
    assert has_source(REPOSITORY / "tests" / "training" / "test_main.py")
    assert not has_source(attacks / "test_pgd.py"), "its source is in the folder methods"


def test_every_test_mirrors_its_source() -> None:
    """A test without a source at the mirrored place must be renamed, or moved to tests/integration."""
    assert [relative(path) for path in mirrored() if not has_source(path)] == []


def test_no_test_imports_from_a_test() -> None:
    """Code that several tests need belongs into a helper module."""
    imports = re.compile(r"^\s*(?:from|import)\s+tests\b.*\btest_\w+", re.MULTILINE)
    assert [relative(path) for path in TESTS if imports.search(path.read_text(encoding="utf-8"))] == []


def test_no_file_has_more_lines_than_allowed() -> None:
    """A longer file must be split by topic."""
    lines = {relative(path): path.read_text(encoding="utf-8").count("\n") for path in [*SOURCES, *TESTS, *SCRIPTS]}
    assert {name: count for name, count in lines.items() if count > MAX_LINES} == {}


def test_no_line_of_a_script_is_longer_than_those_of_other_sources() -> None:
    """For Python, ruff says so."""
    lines = [(relative(path), line) for path in SCRIPTS for line in path.read_text(encoding="utf-8").splitlines()]
    assert [(name, line) for name, line in lines if len(line) > MAX_COLUMNS] == []


def test_the_folder_of_attacks_has_no_more_files_than_allowed() -> None:
    assert len(list((REPOSITORY / "models" / "attacks").glob("*.py"))) <= MAX_FILES


def test_every_folder_of_tests_is_a_package() -> None:
    """Two test files may then have the same name."""
    folders = {path.parent for path in TESTS}
    assert all((folder / "__init__.py").is_file() for folder in folders)

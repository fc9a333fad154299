"""The tree keeps its rules: tests mirror their sources, helpers are no tests, and files and folders stay small."""

import re
from pathlib import Path

from tests.integration.project import REPOSITORY

PACKAGES = ("app", "models", "training")
SOURCES = [path for package in PACKAGES for path in sorted((REPOSITORY / package).rglob("*.py"))]
TESTS = sorted((REPOSITORY / "tests").rglob("*.py"))
MAX_LINES = 300
"""Most lines of a source or test file."""
MAX_FILES = 20
"""Most files in models/attacks, its folder of methods not counted: what a reader can take in at once."""


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
    """The test files that are outside tests/integration."""
    return [path for path in TESTS if path.name.startswith("test_") and "integration" not in path.parts]


def test_a_test_is_told_from_one_without_a_source() -> None:
    """The rule itself, on names that are known."""
    attacks = REPOSITORY / "tests" / "models" / "attacks"
    assert has_source(attacks / "test_goal.py") and has_source(attacks / "test_goal_views.py")
    assert has_source(REPOSITORY / "tests" / "training" / "test_main.py")
    assert not has_source(attacks / "test_pgd.py"), "its source is in the folder methods"


def test_every_test_mirrors_its_source() -> None:
    """One that does not is renamed, or moved to tests/integration."""
    assert [relative(path) for path in mirrored() if not has_source(path)] == []


def test_no_test_imports_from_a_test() -> None:
    """What several tests need is in a helper module."""
    imports = re.compile(r"^\s*(?:from|import)\s+tests\b.*\btest_\w+", re.MULTILINE)
    assert [relative(path) for path in TESTS if imports.search(path.read_text(encoding="utf-8"))] == []


def test_no_file_is_longer_than_a_reader_wants() -> None:
    """One that is longer is split by topic."""
    lines = {relative(path): path.read_text(encoding="utf-8").count("\n") for path in [*SOURCES, *TESTS]}
    assert {name: count for name, count in lines.items() if count > MAX_LINES} == {}


def test_the_folder_of_attacks_can_be_taken_in_at_once() -> None:
    assert len(list((REPOSITORY / "models" / "attacks").glob("*.py"))) <= MAX_FILES


def test_every_folder_of_tests_is_a_package() -> None:
    """Two test files may then have the same name."""
    folders = {path.parent for path in TESTS}
    assert all((folder / "__init__.py").is_file() for folder in folders)

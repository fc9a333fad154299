"""Builds sites with the configuration of the repository: its own, and small ones of a few pages."""

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.integration.project import REPOSITORY


@dataclass(frozen=True)
class Build:
    """How a build ended, what it said, and where the site is."""

    succeeded: bool
    messages: str
    site: Path


def build(source: Path, output: Path) -> Build:
    """Build a site as `make docs` does: every warning makes it fail."""
    command = [sys.executable, "-m", "sphinx", "--fail-on-warning", "--fresh-env", "--keep-going", "--quiet"]
    done = subprocess.run(
        [*command, "-c", str(REPOSITORY / "docs"), str(source), str(output)], capture_output=True, text=True
    )
    return Build(done.returncode == 0, done.stdout + done.stderr, output)


def build_pages(folder: Path, pages: dict[str, str]) -> Build:
    """Build a site of these pages: names in the folder docs, such as index.md, and their texts."""
    for name, text in pages.items():
        file = folder / "source" / "docs" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    return build(folder / "source", folder / "site")

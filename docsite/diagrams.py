"""Diagrams that are written as Mermaid in the pages, drawn as SVG files, so that the site needs no script for them.

`python -m docsite.diagrams` draws those that are new or changed, with Mermaid's own command line and Chromium.
"""

import hashlib
import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

REPOSITORY = Path(__file__).parent.parent
FOLDER = REPOSITORY / "docs" / "pictures" / "diagrams"
"""Folder of the SVG files."""
FENCE = re.compile(r"^```mermaid\n(.*?)^```$", flags=re.DOTALL | re.MULTILINE)
"""A diagram in a page."""
DRAW = "run python -m docsite.diagrams"
"""What to do if a file was drawn from another text."""
COMMAND = ("npx", "--yes", "@mermaid-js/mermaid-cli@11")
"""Mermaid's command line; npx downloads it."""
SETTINGS = {
    "theme": "neutral",
    "htmlLabels": False,
    "flowchart": {"htmlLabels": False},
    "sequence": {
        **{"wrap": True, "width": 130, "actorMargin": 10, "diagramMarginX": 8, "wrapPadding": 4},
        **{"actorFontSize": 13, "messageFontSize": 14, "noteFontSize": 14},
    },
    "fontFamily": "sans-serif",
}
"""Labels are texts of the SVG, not HTML in it, which not every program shows."""
BROWSER = {"executablePath": "/usr/bin/chromium", "args": ["--no-sandbox"]}
"""The browser that draws, and its arguments."""


def name_of(source: str) -> str:
    """The name of a diagram, which is in its first line: `%% one request`."""
    match = re.match(r"\s*%% ([a-z][a-z ]*)\n", source)
    if match is None:
        raise ValueError("the first line of a diagram must be its name in lower case, such as: %% one request")
    return match[1]


def file_of(source: str) -> Path:
    """The SVG file of a diagram."""
    return FOLDER / f"{name_of(source).replace(' ', '-')}.svg"


def mark(source: str) -> str:
    """A comment at the end of the SVG, from which it can be seen that it was drawn from this source."""
    return f"<!-- drawn from {hashlib.sha256(source.strip().encode()).hexdigest()} -->"


def is_current(source: str) -> bool:
    """Whether the SVG file was drawn from this source."""
    file = file_of(source)
    return file.is_file() and mark(source) in file.read_text(encoding="utf-8")


def sources() -> list[str]:
    """All diagrams in the pages below docs/."""
    pages = sorted((REPOSITORY / "docs").rglob("*.md"))
    return [source for page in pages for source in FENCE.findall(page.read_text(encoding="utf-8"))]


def draw(source: str) -> None:
    """Draw a diagram, and mark the file with its source."""
    with tempfile.TemporaryDirectory() as folder:
        files = [Path(folder) / name for name in ("diagram.mmd", "settings.json", "browser.json", "diagram.svg")]
        for file, text in zip(files, (source, json.dumps(SETTINGS), json.dumps(BROWSER)), strict=False):
            file.write_text(text, encoding="utf-8")
        arguments = [part for pair in zip("icpo", files, strict=True) for part in (f"-{pair[0]}", str(pair[1]))]
        variables = os.environ | {"PUPPETEER_SKIP_DOWNLOAD": "1"}  # the browser is one that is installed
        subprocess.run([*COMMAND, "-b", "white", *arguments], env=variables, check=True)
        drawn = files[-1].read_text(encoding="utf-8")
    file_of(source).write_text(f"{drawn}\n{mark(source)}\n", encoding="utf-8")


if __name__ == "__main__":
    for each in sources():
        if not is_current(each) or "--all" in sys.argv:
            draw(each)
            print(f"drew {file_of(each).relative_to(REPOSITORY)}")

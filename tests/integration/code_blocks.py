"""The code blocks of README and documentation: what they say, and whether a comment before it says why no test runs it.

`<!-- not run: REASON -->` before a block says why no test runs it, and `<!-- run by: FILE -->` which other test does.
The comments are invisible on a code host and in the site.
"""

import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.integration.project import REPOSITORY

PAGES = [
    *sorted(REPOSITORY.glob("*.md")),
    *sorted(REPOSITORY.glob("docs/**/*.md")),
    REPOSITORY / "client" / "README.md",
    *sorted(REPOSITORY.glob("examples/*/README.md")),
]
CODE = ("", "python", "bash", "sh", "console")
"""Languages of blocks that somebody may run; a block without a language is one of commands. Others, such as `json` and
`text`, are what programs print, and diagrams."""
BLOCK = re.compile(
    r"^(?P<indent> *)(?:<!-- (?P<kind>not run|run by): (?P<text>[^\n]*?) -->\n+ *)?```(?P<language>[^\s`]*)[^\n`]*\n"
    r"(?P<content>.*?)^ *```$",
    re.DOTALL | re.MULTILINE,
)


@dataclass(frozen=True)
class Block:
    """One block of code of a page."""

    page: str
    line: int
    language: str
    content: str
    not_run: str = ""
    """Why no test runs it."""
    run_by: str = ""
    """The test that runs it, a path in the repository."""

    @property
    def place(self) -> str:
        """The page and the line of the block's first line."""
        return f"{self.page}:{self.line}"

    @property
    def is_run_here(self) -> bool:
        """Whether tests/integration/test_code_blocks.py runs it."""
        return not self.not_run and not self.run_by


def blocks(page: Path) -> list[Block]:
    """The blocks of a page that somebody may run, in its order."""
    return list(_blocks(page.read_text(encoding="utf-8"), str(page.relative_to(REPOSITORY))))


def _blocks(text: str, name: str) -> Iterator[Block]:
    for match in BLOCK.finditer(text):
        if match["language"] in CODE:
            mark = {match["kind"].replace(" ", "_"): match["text"]} if match["kind"] else {}
            line = text.count("\n", 0, match.start("content")) + 1
            yield Block(name, line, match["language"], textwrap.dedent(match["content"]), **mark)

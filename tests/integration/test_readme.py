"""The commands of the README, of the tutorial and of a how-to guide work as they are written."""

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from app.main import create_app
from app.settings import Settings
from models.pictures import decode
from models.store import BUNDLED
from tests.app.live_service import serve

REPOSITORY = Path(__file__).parents[2]
README = (REPOSITORY / "README.md").read_text(encoding="utf-8")
ADDRESS = "http://127.0.0.1:8000"


def blocks(language: str, text: str = README) -> list[str]:
    """The code blocks of this language; those of the shell have no language."""
    matches = re.findall(r"^```(\w*)\n(.*?)^```$", text, flags=re.DOTALL | re.MULTILINE)
    return [block for name, block in matches if name == language]


def commands(start: str, text: str) -> list[str]:
    """The commands of the shell that begin with `start`; a backslash at the end of a line continues it."""
    lines = [line for block in blocks("", text) for line in block.replace("\\\n", " ").splitlines()]
    return [line for line in lines if line.startswith(start)]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("page", "least"), [("README.md", 5), ("docs/tutorial.md", 9), ("docs/how-to/robustness-curve.md", 2)]
)
def test_the_curl_commands_succeed(tmp_path: Path, page: str, least: int) -> None:
    """They run in the order of the page; those that need a download are left out."""
    if shutil.which("curl") is None:
        pytest.skip("needs curl")
    text = (REPOSITORY / page).read_text(encoding="utf-8")
    lines = [line for line in commands("curl", text) if "imagenet" not in line]
    assert len(lines) >= least
    (tmp_path / "docs").symlink_to(REPOSITORY / "docs")
    with serve(checkpoints=BUNDLED) as live:
        for line in lines:
            words = shlex.split(line.replace(ADDRESS, live.url))
            done = subprocess.run([*words, "--fail", "--silent"], cwd=tmp_path, capture_output=True, check=True)
            output = tmp_path / words[words.index("-o") + 1] if "-o" in words else None
            if output is not None:
                assert decode(output.read_bytes()).shape[0] == 3
            else:
                assert done.stdout


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "output", "picture"), [(0, b"True", "fooled.png"), (1, b"Score(strength=", "cat.png")]
)
def test_the_examples_of_the_library_run(tmp_path: Path, number: int, output: bytes, picture: str) -> None:
    """An example prints its result and writes a picture."""
    example = blocks("python")[number]
    (tmp_path / "docs").symlink_to(REPOSITORY / "docs")
    script = f"import sys; sys.path.insert(0, {str(REPOSITORY)!r})\n{example}"
    done = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, check=True)
    assert done.stdout.startswith(output), done.stdout[:200]
    assert number == 0 or b"rank=1," in done.stdout
    assert (tmp_path / picture).is_file()


def test_every_file_that_the_readme_links_to_exists() -> None:
    for target in re.findall(r"\]\(([^)#:]+)\)", README):
        assert (REPOSITORY / target).exists(), target


def test_no_placeholder_is_left_in_the_readme() -> None:
    """Placeholders of figures look like CAT_JSON or TIME_BEFORE."""
    assert re.findall(r"\b[A-Z]+_(?:JSON|LINE|BEFORE|AFTER|CAT|DOG)\b", README) == []


def test_every_endpoint_is_in_the_table_of_the_readme() -> None:
    """The endpoints are the paths of the OpenAPI document, and the two of the documentation itself."""
    paths = create_app(Settings(_env_file=None, models=("imagenet/mobilenet_v2",))).openapi()["paths"]
    for path in [*paths, "/docs", "/openapi.json"]:
        assert re.search(rf"`(?:GET |POST )?{re.escape(path)}[`?]", README), path

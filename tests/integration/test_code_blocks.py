"""Every command and code block of README and documentation works as it is written, or says why no test runs it."""

import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from models.store import BUNDLED
from tests.app.page.service_process import ServiceProcess
from tests.integration.code_blocks import PAGES, Block, _blocks, blocks
from tests.integration.project import REPOSITORY

ADDRESS = "http://127.0.0.1:8000"
PRINTED = {
    "from models.attacks import fool, fool_all, summary": r"^True Prediction\(label='dog'",
    "from models.ideal import imagine": r"^(1\.0|0\.99\d*) 1 0\.9\d+$",
    "with client.fool.stream(": r"Prediction\(label='dog', index=1, probability=0\.5\d+\) Norms\(",
    "mirage classify docs/pictures\n": r"chelsea\.png.*\"label\": \"cat\"",
    "client.classify_many(": r"^chelsea\.png cat$",
}
"""What blocks that contain a text print: an example that ends without an error may still have done nothing."""
RUN = [page for page in PAGES if any(block.is_run_here for block in blocks(page))]


def name_of(page: Path) -> str:
    return str(page.relative_to(REPOSITORY))


def test_the_comment_before_a_block_is_read() -> None:
    """By hand: a block with a reason, one in a list that another test runs, one without a mark, and one of output."""
    text = (
        "<!-- not run: it takes a year -->\n```\nmake all\n```\n\n1. Do\n\n   <!-- run by: tests/x.py -->\n"
        "   ```python\n   a = 1\n     \n   ```\n```json\n{}\n```\ntext\n```\nls\n```\n"
    )
    assert list(_blocks(text, "page.md")) == [
        Block("page.md", 3, "", "make all\n", not_run="it takes a year"),
        Block("page.md", 10, "python", "a = 1\n\n", run_by="tests/x.py"),
        Block("page.md", 18, "", "ls\n"),
    ]


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_a_fence_stands_at_the_beginning_of_its_line(page: Path) -> None:
    """Behind other text it begins no block, and the commands after it run together into one paragraph."""
    for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), start=1):
        assert "```" not in line.lstrip()[1:].lstrip("`"), f"{page.name}:{number}"


def test_what_blocks_print_is_looked_for_in_blocks_that_are_run() -> None:
    contents = [block.content for page in PAGES for block in blocks(page) if block.is_run_here]
    assert [text for text in PRINTED if not any(text in content for content in contents)] == []


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_reason_is_a_reason_and_every_other_test_knows_the_page(page: Path) -> None:
    for block in blocks(page):
        if block.not_run:
            assert len(block.not_run.split()) >= 3, block.place
        if block.run_by:
            test = REPOSITORY / block.run_by
            assert test.is_file() and page.name in test.read_text(encoding="utf-8"), block.place


def test_most_blocks_are_run() -> None:
    every = [block for page in PAGES for block in blocks(page)]
    assert len(every) > 60
    assert sum(not block.not_run for block in every) > len(every) / 2


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServiceProcess]:
    """A process of its own, as for a reader: it may use all cores, and checks no types."""
    with ServiceProcess(tmp_path_factory.mktemp("service"), deadline_s=600) as running:
        yield running


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """What a reader has who follows the pages: the clone, and the files that the pages speak of."""
    for name in (".venv", "client", "deploy", "docs", "examples", "pyproject.toml"):
        (tmp_path / name).symlink_to(REPOSITORY / name)
    checkpoints = tmp_path / "models" / "checkpoints"
    checkpoints.mkdir(parents=True)
    shutil.copy(BUNDLED / "cats-dogs.safetensors", tmp_path / "new.safetensors")
    with zipfile.ZipFile(tmp_path / "photos.zip", "w") as archive:
        for number in range(12):
            archive.writestr(f"{('cat', 'dog')[number % 2]}/{number}.png", drawn(number))
    return tmp_path


def drawn(seed: int) -> bytes:
    """A picture of large random patches, unlike every other one."""
    coarse = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    buffer = BytesIO()
    Image.fromarray(coarse).resize((160, 120), Image.Resampling.BICUBIC).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.mark.slow
@pytest.mark.parametrize("page", RUN, ids=name_of)
def test_the_blocks_of_a_page_run_in_their_order(page: Path, service: ServiceProcess, folder: Path) -> None:
    """Against a service with the bundled models. Every command succeeds, and every picture that it writes is one."""
    if shutil.which("curl") is None or shutil.which("bash") is None:
        pytest.skip("needs bash and curl")
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    environment = {**os.environ, "PATH": path, "MIRAGE_URL": service.url, "OMP_NUM_THREADS": "2"}
    environment["MIRAGE_TRAINING_CACHE"] = str(folder / "cache")
    for block in filter(lambda block: block.is_run_here, blocks(page)):
        code = block.content.replace(ADDRESS, service.url)
        if block.language == "python":
            command = [sys.executable, "-c", code]
        else:
            # Without --fail, curl is content with an answer that says that nothing has worked.
            code = re.sub(r"^curl ", "curl --fail --silent --show-error ", code, flags=re.MULTILINE)
            command = ["bash", "-euo", "pipefail", "-c", code]
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, f"{block.place}\n{block.content}\n{done.stdout[-2000:]}\n{done.stderr[-3000:]}"
        for text, pattern in PRINTED.items():
            if text in block.content:
                assert re.search(pattern, done.stdout, flags=re.MULTILINE), f"{block.place}\n{done.stdout[-2000:]}"
    for written in [*folder.glob("*.png"), *folder.glob("*.webp")]:
        with Image.open(written) as picture:
            picture.load()

"""The notebooks of docs/lesson: what is stored of them, and (slow) that they run and lead to known results."""

import base64
import importlib.util
import io
import json
import os
import re
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from types import ModuleType
from typing import Any

import nbformat
import numpy as np
import pytest
from nbformat.v4 import new_code_cell, new_notebook, new_output
from PIL import Image

from models.classify import classify
from models.pictures import decode
from models.run import run
from models.store import load
from tests.integration.project import REPOSITORY

FOLDER = REPOSITORY / "docs" / "lesson"
NAMES = (
    "1-transfer-learning",
    "2-inside-the-network",
    "3-ideal-pictures",
    "4-adversarial-pictures",
    "5-lab-37-breeds",
)
MAX_BYTES = 400_000
"""Largest size of a stored notebook."""
PLACE = re.compile(r"(?<![\w.:/])/(?:home|root|work|tmp|Users|usr|opt|content|mnt)/|[A-Z]:\\\\")
"""The beginning of a path of some machine."""
Notebook = Any  # nbformat's own type has no types


def read(name: str) -> Notebook:
    """The notebook as it is stored."""
    return nbformat.read(FOLDER / f"{name}.ipynb", as_version=4)


def code(notebook: Notebook) -> list[Any]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def tags(cell: Any) -> list[str]:
    return list(cell.metadata.get("tags", ()))


@pytest.fixture(scope="module")
def tool() -> ModuleType:
    """docs/lesson/execute.py, which is a script and in no package."""
    spec = importlib.util.spec_from_file_location("lesson_execute", FOLDER / "execute.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_lesson_has_these_notebooks() -> None:
    assert tuple(sorted(file.stem for file in FOLDER.glob("*.ipynb"))) == NAMES


@pytest.mark.parametrize("name", NAMES)
class TestStored:
    """What is stored in the repository, and shown on the documentation's pages."""

    def test_it_begins_with_its_number_and_title(self, name: str) -> None:
        first = read(name).cells[0]
        assert first.cell_type == "markdown" and first.source.startswith(f"# {name[0]}. ")

    def test_the_first_code_cell_makes_the_project_importable(self, name: str) -> None:
        """The same cell in all notebooks, with the address of the repository as a variable to fill in."""
        source = code(read(name))[0].source
        assert source == code(read(NAMES[0]))[0].source
        assert 'REPOSITORY = "https://github.com/OWNER/mirage"' in source and "--constraint" in source

    def test_all_cells_were_executed_in_order(self, name: str) -> None:
        cells = code(read(name))
        assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
        outputs = [output for cell in cells for output in cell.outputs]
        assert len(outputs) >= 8
        assert all(output.output_type in ("stream", "display_data", "execute_result") for output in outputs)
        assert not any(output.get("name") == "stderr" for output in outputs)

    def test_no_photo_of_a_data_set_is_stored(self, name: str) -> None:
        """Cells that show pixels of a data set have the tag, and no output."""
        for cell in code(read(name)):
            shows_pixels = re.search(r"\.pixels\(", cell.source) and re.search(r"\b(im)?show\(", cell.source)
            assert not shows_pixels or "photos" in tags(cell), cell.source
            assert "photos" not in tags(cell) or cell.outputs == []

    def test_it_is_small_and_says_nothing_of_the_machine(self, name: str) -> None:
        file = FOLDER / f"{name}.ipynb"
        assert file.stat().st_size <= MAX_BYTES
        notebook = read(name)
        assert notebook.metadata.kernelspec.name == "python3"
        assert set(notebook.metadata) == {"kernelspec", "language_info"}
        assert all(set(cell.metadata) <= {"tags"} for cell in notebook.cells)
        texts = [
            output.get("text", output.get("data", {}).get("text/plain", ""))
            for c in code(notebook)
            for output in c.outputs
        ]
        sources = [cell.source for cell in notebook.cells]
        assert [text for text in [*texts, *sources] if PLACE.search(text)] == []

    def test_every_link_leads_somewhere(self, name: str) -> None:
        """The file of a relative link exists, and so does the heading of its anchor."""
        texts = [cell.source for cell in read(name).cells if cell.cell_type == "markdown"]
        links = [link for text in texts for link in re.findall(r"\]\(([^)\s]+)\)", text) if "://" not in link]
        assert links
        for link in links:
            path, _, anchor = link.partition("#")
            assert (FOLDER / path).is_file(), link
            headings = re.findall(r"^#+ (.*)$", (FOLDER / path).read_text(encoding="utf-8"), flags=re.MULTILINE)
            assert not anchor or anchor in [re.sub(r"[^\w\- ]", "", h.lower()).replace(" ", "-") for h in headings]


def test_every_task_of_the_lab_has_a_hint_and_a_solution() -> None:
    cells = read("5-lab-37-breeds").cells
    numbers = []
    for cell, following in pairwise(cells):
        for number in re.findall(r"^\*\*Task (\d+)\.\*\*", cell.source, flags=re.MULTILINE):
            numbers.append(int(number))
            assert "<summary>Hint</summary>" in cell.source and "solution" in tags(following)
    assert numbers == list(range(1, len(numbers) + 1)) and len(numbers) >= 6


def test_outputs_that_may_not_be_published_are_not_stored(tool: ModuleType) -> None:
    """Photos and warnings go, metadata of the machine goes, and what was printed stays."""
    printed, warning = (new_output("stream", name=stream, text=stream) for stream in ("stdout", "stderr"))
    shown = new_code_cell(
        "1", metadata={"tags": ["photos"], "execution": {"iopub.status.idle": "2026"}}, outputs=[printed]
    )
    kept = new_code_cell("2", metadata={"collapsed": True}, outputs=[printed, warning])
    result = tool.publishable(
        new_notebook(cells=[shown, kept], metadata={"language_info": {"name": "python", "version": "3.1"}})
    )
    assert [[output.text for output in cell.outputs] for cell in result.cells] == [[], ["stdout"]]
    assert [dict(cell.metadata) for cell in result.cells] == [{"tags": ["photos"]}, {}]
    assert result.metadata == tool.METADATA


def test_a_folder_of_this_machine_is_refused(tool: ModuleType) -> None:
    output = new_output("stream", name="stdout", text=f"{REPOSITORY / 'photo.jpg'}")
    with pytest.raises(tool.Unpublishable, match="cell 1 prints the folder"):
        tool.publishable(new_notebook(cells=[new_code_cell("1", outputs=[output])]))


def test_a_large_png_becomes_a_small_jpeg_and_a_plot_stays(tool: ModuleType) -> None:
    """Noise is four times as large as a PNG; a plain colour is not large at all."""
    noise = np.random.Generator(np.random.PCG64(0)).integers(0, 256, (200, 200, 3), dtype=np.uint8)
    kinds = []
    for picture in (noise, np.zeros_like(noise)):
        buffer = io.BytesIO()
        Image.fromarray(picture).save(buffer, "PNG")
        data = {"image/png": base64.b64encode(buffer.getvalue()).decode()}
        kinds += tool.smaller(new_output("display_data", data=data)).data
    assert kinds == ["image/jpeg", "image/png"]


Execute = Callable[[str, str], Any]


@pytest.fixture
def execute(tool: ModuleType, shared: Path, imagenet_home: Path, tmp_path: Path) -> Execute:
    """Return execute(name, facts), which runs a notebook on small data and returns the value of an expression in it."""
    environment = {
        **os.environ,
        "TORCH_HOME": str(imagenet_home),
        "LESSON_CATS_DOGS": str(shared / "data" / "cats-vs-dogs.zip"),
        "LESSON_PETS": str(shared / "data" / "oxford-iiit-pet.zip"),
        "OMP_NUM_THREADS": str(os.cpu_count()),
    }

    def run_notebook(name: str, facts: str) -> Any:
        notebook = read(name)
        notebook.cells.append(new_code_cell(f"import json\nprint(json.dumps({facts}))"))
        executed = tool.execute(notebook, tmp_path, env=environment)
        return json.loads(executed.cells[-1].outputs[-1].text)

    return run_notebook


@pytest.mark.slow
def test_transfer_learning(execute: Execute, tmp_path: Path) -> None:
    """The probe is right on nearly all photos, the pixels alone are not enough, and the checkpoint can be loaded."""
    probe, pixels, test, shapes = execute(
        NAMES[0], "[probe.accuracy, pixel_probe.accuracy, metrics.accuracy, own_metrics.accuracy]"
    )
    assert probe >= 0.9 and pixels < probe - 0.1
    assert test >= 0.85 and shapes >= 0.8
    model = load("cats-dogs", folder=tmp_path / "lesson-files")
    assert model.spec.classes == ("cat", "dog")


@pytest.mark.slow
def test_inside_the_network(execute: Execute) -> None:
    """Integrated gradients account for the logit; plain gradients are unlike those of random weights."""
    missing, total, rise, gradients = execute(
        NAMES[1], '[integrated.missing, integrated.attributions.sum().item(), rise, correlations["plain gradient"]]'
    )
    assert missing < 0.05 and total == pytest.approx(rise, rel=0.05)
    assert max(map(abs, gradients)) < 0.3


@pytest.mark.slow
def test_ideal_pictures(execute: Execute) -> None:
    """The plain recipe's pictures score lower than it prints; those of the library keep their score in the file."""
    printed, in_files, library = execute(
        NAMES[2],
        '[bars["plain recipe, printed"], bars["plain recipe, file"], bars["Fourier and crops, file"]]',
    )
    assert all(file < promised - 0.2 for promised, file in zip(printed, in_files, strict=True))
    assert min(printed) > 0.9 and min(library) > 0.9


@pytest.mark.slow
def test_adversarial_pictures(execute: Execute, tmp_path: Path) -> None:
    """The file fools the library, each norm is smallest in its own row, and robust training helps under attack."""
    norms, accuracies = execute(
        NAMES[3],
        "[{norm: result.norms for norm, result in results.items()}, "
        "{name: [row['accuracy'] for row in rows] for name, rows in measured.items()}]",
    )
    model = load("cats-dogs")
    predictions = run(
        classify(decode((tmp_path / "lesson-files" / "fooled.png").read_bytes()), model.spec), model.classifier
    )
    assert predictions[0].label == "dog"
    for norm in norms:
        assert norms[norm][norm] == min(row[norm] for row in norms.values())
    assert sum(accuracies["cats-dogs-robust"][1:]) > sum(accuracies["cats-dogs"][1:]) + 1


@pytest.mark.slow
def test_the_lab(execute: Execute) -> None:
    """Far more photos are right than by chance, and the file of Task 7 is a pug to the network."""
    accuracy, to_pug, probe = execute(
        NAMES[4], "[metrics.accuracy, fooled[pug].adversarial.label == pug, probe_metrics.accuracy]"
    )
    assert accuracy > 0.5 and probe > 0.5
    assert to_pug

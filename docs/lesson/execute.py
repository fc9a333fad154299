"""Executes the notebooks of the lesson, and writes them back with outputs that may be published.

    make lesson                                               # all notebooks
    .venv/bin/python docs/lesson/execute.py 3-ideal-pictures  # one of them

A cell with the tag `photos` shows photos of a data set, whose licence is not ours: its output is not stored. Warnings
(standard error) and the times of the cells are not stored either, and large PNGs become JPEGs. A notebook is only
written if all of its cells have run, and if no output names a folder of this machine.
"""

import base64
import io
import sys
import time
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient
from nbformat import NotebookNode
from PIL import Image

FOLDER = Path(__file__).parent
LIMIT_S = 3600
"""Seconds after which a single cell is given up."""
LARGE = 25_000
"""Number of bytes from which a PNG is written as JPEG, if the JPEG is clearly smaller."""
SMALLER = 0.7
"""A JPEG takes the place of a PNG if it has at most this fraction of its bytes."""
JPEG_QUALITY = 80
METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}
"""The metadata of every notebook: nothing of the machine on which it was executed."""


class Unpublishable(ValueError):
    """An output that must not be stored."""


def execute(notebook: NotebookNode, folder: Path, **kernel: Any) -> NotebookNode:
    """Run all cells in this folder, and return the notebook; `kernel` is for what starts it, such as `env`."""
    client = NotebookClient(
        notebook,
        timeout=LIMIT_S,
        kernel_name="python3",
        record_timing=False,
        coalesce_streams=True,
        resources={"metadata": {"path": str(folder)}},
    )
    return client.execute(**kernel)


def publishable(notebook: NotebookNode) -> NotebookNode:
    """The notebook with the outputs and the metadata that are stored; raises Unpublishable."""
    notebook.metadata = nbformat.from_dict(METADATA)
    for number, cell in enumerate(notebook.cells, start=1):
        cell.metadata = nbformat.from_dict({"tags": cell.metadata["tags"]} if "tags" in cell.metadata else {})
        if cell.cell_type != "code":
            continue
        shows_photos = "photos" in cell.metadata.get("tags", ())
        cell.outputs = [] if shows_photos else [smaller(output) for output in cell.outputs if _is_stored(output)]
        for place in (str(FOLDER.parents[1].resolve()), str(Path.home()), str(Path(sys.prefix).resolve())):
            if len(place) > 1 and place in str(cell.outputs):
                raise Unpublishable(f"cell {number} prints the folder {place} of this machine: print relative paths")
    return notebook


def _is_stored(output: NotebookNode) -> bool:
    return not (output.output_type == "stream" and output.name == "stderr")


def smaller(output: NotebookNode) -> NotebookNode:
    """The output with a large PNG as a JPEG, if the JPEG is clearly smaller."""
    png = base64.b64decode(output.get("data", {}).get("image/png", ""))
    if len(png) < LARGE:
        return output
    buffer = io.BytesIO()
    Image.open(io.BytesIO(png)).convert("RGB").save(buffer, "JPEG", quality=JPEG_QUALITY, optimize=True)
    if buffer.tell() < SMALLER * len(png):
        del output.data["image/png"]
        output.data["image/jpeg"] = base64.b64encode(buffer.getvalue()).decode()
    return output


def main(names: list[str]) -> None:
    """Execute the notebooks of these names, or all of them, and write them back."""
    for file in [FOLDER / f"{name}.ipynb" for name in names] or sorted(FOLDER.glob("*.ipynb")):
        begun = time.monotonic()
        notebook = execute(nbformat.read(file, as_version=4), FOLDER)
        seconds = time.monotonic() - begun
        for cell in notebook.cells:
            for output in cell.get("outputs", ()):
                if not _is_stored(output):
                    print(output.text, file=sys.stderr)
        nbformat.write(publishable(notebook), file)
        print(f"{file.name}: {seconds:.0f} s, {file.stat().st_size / 1000:.0f} kB", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])

"""Whether /classify gives a large JPEG, decoded at a smaller scale, the class that all of its pixels give it.

    python -m benchmarks classify_verdicts --model cats-dogs --data cats-vs-dogs.zip --photos 1000

The photos are enlarged to a shorter side of 1200 pixels and saved as JPEG of several qualities, because the data sets
at hand have small ones only. The service decodes a picture that is nearly a tie again in full; photos with another
first class are counted without that second look and with it.
"""

import argparse
import io
import random
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import torch
from PIL import Image, UnidentifiedImageError

from app.operations.classification import CLEAR
from benchmarks.parts import SKIPPED
from benchmarks.results import Figure, write_figures
from models.store import Model, load
from models.view import view

DATA = Path(__file__).parents[2] / "shared" / "data" / "cats-vs-dogs.zip"


def large_jpegs(archive: zipfile.ZipFile, count: int, shorter: int) -> Iterator[bytes]:
    """The first photos of a random order, enlarged to this shorter side; both sides are multiples of 8."""
    order = random.Random(0)
    names = sorted(item.filename for item in archive.infolist() if item.filename.endswith(".jpg") and item.file_size)
    for name in order.sample(names, min(count, len(names))):
        try:
            image = Image.open(io.BytesIO(archive.read(name))).convert("RGB")
        except UnidentifiedImageError:
            continue
        width, height = (round(side * shorter / min(image.size) / 8) * 8 for side in image.size)
        file = io.BytesIO()
        enlarged = image.resize((width, height), Image.Resampling.BICUBIC)
        enlarged.save(file, "JPEG", quality=order.choice((75, 85, 95)), subsampling=order.choice((0, 2)))
        yield file.getvalue()


def compare(model: Model, file: bytes) -> dict[str, float]:
    """How the view at a smaller scale differs from that of all pixels, in levels, and how the logits do."""
    exact, scaled = view(file, model.spec, exact=True), view(file, model.spec)
    assert not scaled.exact, "the photo is large enough to be decoded at a smaller scale"
    with torch.inference_mode():
        before, after = model.classifier.logits(torch.cat([exact.pixels, scaled.pixels]))
    first, second = before.topk(2).indices.tolist()
    lead, lead_after = (float(logits[first] - logits[second]) for logits in (before, after))
    levels = (exact.pixels - scaled.pixels).abs() * 255
    differs = bool(before.argmax() != after.argmax())
    best, next_best = after.softmax(dim=0).topk(2).values.tolist()
    return {
        "largest difference of a view": float(levels.max()),
        "mean difference of a view": float(levels.mean()),
        "change of the first class's lead": abs(lead - lead_after),
        "another first class": float(differs),
        "another first class with the second look": float(differs and best >= CLEAR * next_best),
    }


def main() -> int:
    """Print the greatest differences of all photos, and how many have another first class."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="cats-dogs")
    parser.add_argument("--data", type=Path, default=DATA, help="zip of photos")
    parser.add_argument("--photos", type=int, default=1000)
    parser.add_argument("--shorter", type=int, default=1200, help="shorter side in pixels of the enlarged photos")
    parser.add_argument("--json", type=Path, help="file for the figures")
    options = parser.parse_args()
    if not options.data.exists():
        print(f"There are no photos at {options.data}.")
        return SKIPPED
    model = load(options.model)
    with zipfile.ZipFile(options.data) as archive:
        compared = [compare(model, file) for file in large_jpegs(archive, options.photos, options.shorter)]
    columns = {name: [row[name] for row in compared] for name in compared[0]}
    changed = {name: columns.pop(name) for name in list(columns) if name.startswith("another")}
    figures = [Figure(f"{name}, mean and greatest of the photos", "", [sum(values) / len(values), max(values)])
               for name, values in columns.items()]  # fmt: skip
    figures += [Figure(f"photos of {len(values)} with {name}", "", [sum(values)]) for name, values in changed.items()]
    for figure in figures:
        print(f"  {figure.name}: {', '.join(f'{value:.3f}' for value in figure.samples)} {figure.unit}")
    if options.json:
        write_figures(options.json, figures)
    return 0


if __name__ == "__main__":
    sys.exit(main())

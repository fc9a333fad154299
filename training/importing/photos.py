"""The labelled photos on which an imported model is checked: which ones, of which classes, decoded."""

import math
from collections.abc import Sequence

import torch
from jaxtyping import UInt8
from rich.console import Console
from torch import Tensor

from models.spec import Spec
from training.console import print_line, track
from training.data.layout.layout import Layout, layout
from training.data.loading.batches import evenly_spaced
from training.data.scan.inspect_files import inspect_files
from training.data.sources.open_source import open_source
from training.data.sources.source import BadData
from training.folder_classes import class_indices
from training.importing.options import ImportOptions

KEPT_BYTES = 1_500_000_000
"""About how many bytes the decoded photos may take in memory; for that, large ones are shrunk."""
ENOUGH = 100
"""Number of photos with which the check finds all but small mistakes (docs/how-to/importing.md)."""

Photos = Sequence[tuple[UInt8[Tensor, "3 _ _"], int]]
"""Pixels and the index of the class."""


def read_photos(options: ImportOptions, spec: Spec, console: Console) -> tuple[Photos, str]:
    """The photos of --check, as many as are asked for and evenly taken, and of which splits; raises BadData.

    If the data has splits, they are of the test split, or of validation and test where it is small: on photos that a
    model was trained on the accuracy would be too good. Files that cannot be used are left out, as are photos whose
    class is in doubt.
    """
    assert options.check is not None
    source = open_source(options.check, options.data_options, unpacked=options.cache.unpacked)
    data_layout = layout(source, options.data_options, least=1)
    for message in data_layout.notes:
        print_line(console, message)
    index_of = class_indices(data_layout, spec, options.renamed, console, name="the model")
    on, names = _names(data_layout)
    chosen = [names[index] for index in evenly_spaced(options.photos, len(names))]
    # Twice the resized picture at least; 200 photos may have 1,369 pixels on the shorter side.
    shorter = max(2 * max(spec.resize_size), math.isqrt(KEPT_BYTES // (4 * max(1, len(chosen)))))
    inspected = inspect_files(source, chosen, options.workers, shorter=shorter)
    photos, unusable = [], []
    for file in track(console, inspected, len(chosen), what="reading the photos"):
        if file.pixels is None:
            unusable.append(file)
        else:
            photos.append((torch.from_numpy(file.pixels), index_of[data_layout.folder_of[file.name]]))
    if unusable:
        first = f"{unusable[0].name}: {unusable[0].findings[0].detail}"
        print_line(console, f"{len(unusable):,} files cannot be used, such as {first}")
    if not photos:
        raise BadData("there are no usable photos: `python -m training check` lists the files, and what is wrong")
    return photos, on


def _names(data_layout: Layout) -> tuple[str, list[str]]:
    """The files to choose from, and which these are: of the splits that a model is not trained on, if there are any."""
    names = sorted(data_layout.folder_of)
    of_splits: list[str] = []
    for splits in (("test",), ("test", "validation")):
        of_splits = [name for name in names if data_layout.split_of.get(name) in splits]
        if len(of_splits) >= ENOUGH:
            return " and ".join(splits), of_splits
    return ("test and validation", of_splits) if of_splits else ("all", names)

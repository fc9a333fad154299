"""The labelled photos on which an imported model is checked: which ones, of which classes, decoded."""

import math
from collections.abc import Mapping, Sequence

import torch
from jaxtyping import UInt8
from rich.console import Console
from torch import Tensor

from models.classes import UnknownClass
from models.spec import Spec
from training.console import print_line, track
from training.data.layout.layout import Layout, check_renamed_folders, layout
from training.data.loading.batches import evenly_spaced
from training.data.scan.inspect_files import inspect_files
from training.data.sources.open_source import open_source
from training.data.sources.source import BadData
from training.importing.options import ImportOptions

KEPT_BYTES = 1_500_000_000
"""About how many bytes the decoded photos may take in memory; for that, large ones are shrunk."""
ENOUGH = 100
"""Number of photos with which the check finds all but small mistakes (docs/importing.md)."""
NAMED = 10
"""Largest number of folders that a message names."""

Photos = Sequence[tuple[UInt8[Tensor, "3 _ _"], int]]
"""Pixels and the index of the class."""


def read_photos(options: ImportOptions, spec: Spec, console: Console) -> Photos:
    """The photos of --check, as many as are asked for, evenly taken from all; raises BadData.

    If the data has splits, they are of the test split, or of validation and test, where there are enough in it. Files
    that cannot be used are left out, as are photos whose class is in doubt.
    """
    assert options.check is not None
    source = open_source(options.check, options.data_options, unpacked=options.cache.unpacked)
    data_layout = layout(source, options.data_options, least=1)
    for message in data_layout.notes:
        print_line(console, message)
    index_of = class_indices(data_layout, spec, options.renamed, console)
    names = _names(data_layout)
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
    return photos


def _names(data_layout: Layout) -> list[str]:
    """The files to choose from: of the splits that a model is not trained on, if they have enough."""
    names = sorted(data_layout.folder_of)
    for splits in (("test",), ("test", "validation")):
        of_splits = [name for name in names if data_layout.split_of.get(name) in splits]
        if len(of_splits) >= ENOUGH:
            return of_splits
    return names


def class_indices(data_layout: Layout, spec: Spec, renamed: Mapping[str, str], console: Console) -> dict[str, int]:
    """The index of the class of each folder; raises BadData where the model has none of that name.

    Where the classes of the model have only numbers, and there are as many folders, these are taken in the order of
    their names, in which most training scripts number them.
    """
    check_renamed_folders(data_layout, renamed)
    indices, unknown = {}, {}
    for folder in data_layout.folders:
        name = renamed.get(folder) or data_layout.names.get(folder) or folder
        try:
            indices[folder] = spec.names.find(name)
        except UnknownClass as error:
            unknown[folder] = error
    if not unknown:
        return indices
    if spec.classes == tuple(map(str, range(len(data_layout.folders)))):
        order = sorted(data_layout.folders)
        print_line(
            console,
            "the classes have no names, so the folders are taken in the order of theirs: if the accuracy is right, "
            f"give --classes {','.join(order)}",
        )
        return {name: index for index, name in enumerate(order)}
    raise BadData(_no_class(unknown))


def _no_class(unknown: Mapping[str, UnknownClass]) -> str:
    first, error = next(iter(unknown.items()))
    if len(unknown) == 1:
        folders = f"the folder {first!r}"
    else:
        more = f" and {len(unknown) - NAMED:,} more" if len(unknown) > NAMED else ""
        folders = f"the folders {', '.join(map(repr, list(unknown)[:NAMED]))}{more}"
    return (
        f"the model has no class for {folders} ({error}): give --rename '{first}=CLASS', or leave photos out with "
        "--exclude"
    )

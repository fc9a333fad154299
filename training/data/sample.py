"""A small sample of a data set, for lessons and first trials: some photos of each class, copied into a folder."""

from pathlib import Path

import torch

from training.data.layout.layout import class_names, layout
from training.data.options import DataOptions
from training.data.sources.open_source import UNPACKED, open_source
from training.data.sources.source import BadData


def sample(
    data: Path,
    folder: Path,
    *,
    per_class: int,
    seed: int = 0,
    options: DataOptions | None = None,
    unpacked: Path = UNPACKED,
) -> Path:
    """Copy `per_class` random files of each class into a new `folder`, which can be trained on; returns it.

    Where the data has splits, they are kept, and `per_class` files of each class are copied for each split. A class
    that has fewer files is copied as a whole. Files are copied as they are, also those that cannot be used: what reads
    the folder reports them. The same seed chooses the same files. Raises BadData.
    """
    if folder.exists():
        raise BadData(f"{folder} exists already: delete it, or name another folder")
    source = open_source(data, options, unpacked=unpacked)
    data_layout = layout(source, options)
    names = dict(zip(data_layout.folders, class_names(data_layout, {}), strict=True))
    groups: dict[Path, list[str]] = {}
    for file, class_folder in sorted(data_layout.folder_of.items()):
        # A file without a split, in data where others have one, counts as training data there too.
        split = data_layout.split_of.get(file, "train" if data_layout.split_of else "")
        groups.setdefault(folder / split / names[class_folder].replace("/", "-"), []).append(file)
    random = torch.Generator().manual_seed(seed)
    for target, files in groups.items():
        target.mkdir(parents=True, exist_ok=True)
        for number in sorted(torch.randperm(len(files), generator=random)[:per_class].tolist()):
            # Files of one class may have the same name in different folders: the number tells them apart.
            (target / f"{number}-{Path(files[number]).name}").write_bytes(source.read(files[number]))
    return folder

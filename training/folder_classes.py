"""Which class of a model the photos of each folder are of."""

from collections.abc import Mapping
from types import MappingProxyType

from rich.console import Console

from models.classes import UnknownClass
from models.spec import Spec
from training.console import print_line
from training.data.layout.layout import Layout, check_renamed_folders
from training.data.sources.source import BadData

NAMED = 10
"""Largest number of folders that a message names."""


def class_indices(
    data_layout: Layout,
    spec: Spec,
    renamed: Mapping[str, str],
    console: Console,
    *,
    name: str,
    trained: Mapping[str, str] = MappingProxyType({}),
) -> dict[str, int]:
    """The index of the class of each folder; raises BadData where the model, called `name`, has none of that name.

    The name of the class is what the user calls it (`renamed`), or else what the training data calls it (`trained`), or
    else what the data or the folder is called. Where the classes of the model have only numbers, and there are as many
    folders, these are taken in the order of their names, in which most training scripts number them.
    """
    check_renamed_folders(data_layout, renamed)
    indices, unknown = {}, {}
    for folder in data_layout.folders:
        called = renamed.get(folder) or trained.get(folder) or data_layout.names.get(folder) or folder
        try:
            indices[folder] = spec.names.find(called)
        except UnknownClass as error:
            unknown[folder] = error
    if not unknown:
        return indices
    if not renamed and spec.classes == tuple(map(str, range(len(data_layout.folders)))):
        order = sorted(data_layout.folders)
        more = f" and {len(order) - NAMED:,} more" if len(order) > NAMED else ""
        print_line(
            console,
            f"the classes of {name} have no names, so the folders are taken in the order of theirs: "
            f"{', '.join(order[:NAMED])}{more}",
        )
        return {folder: index for index, folder in enumerate(order)}
    raise BadData(_no_class(unknown, name))


def _no_class(unknown: Mapping[str, UnknownClass], name: str) -> str:
    first, error = next(iter(unknown.items()))
    if len(unknown) == 1:
        folders = f"the folder {first!r}"
    else:
        more = f" and {len(unknown) - NAMED:,} more" if len(unknown) > NAMED else ""
        folders = f"the folders {', '.join(map(repr, list(unknown)[:NAMED]))}{more}"
    remedy = f"give --rename '{first}=CLASS', or leave photos out with --exclude"
    return f"{name} has no class for {folders} ({error}): {remedy}"

"""Sources with names of files but no contents, and their layouts."""

from pathlib import Path
from typing import Any

from training.data.layout.layout import Layout, layout
from training.data.options import DataOptions
from training.data.sources.source import Source


class NoFiles:
    """A reader of a source without contents: reading any file fails the test."""

    def read(self, name: str, limit: int) -> bytes:
        raise AssertionError(f"{name} was read")


def layout_of(names: tuple[str, ...], **options: Any) -> Layout:
    """The layout of a source with these files."""
    return layout(Source(Path("data"), names, NoFiles()), DataOptions(**options))


def photos(*folders: str) -> tuple[str, ...]:
    """The names of one photo of a cat and one of a dog in all of these folders."""
    return tuple(f"{folder}/{animal}/1.jpg" for folder in folders for animal in ("cat", "dog"))


def splits(result: Layout) -> dict[str, str]:
    """The split of the photos in a layout, by the first folder of their paths."""
    return {name.split("/")[0]: split for name, split in result.split_of.items()}

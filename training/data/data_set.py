"""A data set that is ready to train on: its layout is known, its files are inspected, its photos are decoded."""

from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from training.cache import Cache
from training.data.layout.layout import Layout, layout
from training.data.loading.batches import LabelledPhotos
from training.data.loading.photo_store import PhotoStore
from training.data.options import DataOptions
from training.data.scan.findings import Photo, Scan
from training.data.scan.scan_source import scan_and_store
from training.data.sources.open_source import open_source
from training.data.sources.source import Source
from training.data.split import Split, split
from training.data.split_errors import exclusion_options, exclusion_reasons


@dataclass(frozen=True)
class OpenDataSet:
    """A data set of which only the names of the files have been looked at."""

    source: Source
    layout: Layout
    options: DataOptions

    def scan(self, cache: Cache, shorter: int, workers: int, console: Console) -> "DataSet":
        """Inspect every file, and store the decoded photos with a shorter side of at most `shorter` pixels."""
        scan, store = scan_and_store(self.source, self.layout, cache, shorter, workers, console)
        return DataSet(self.source, self.layout, self.options, scan, store, shorter)


@dataclass(frozen=True)
class DataSet:
    """A data set whose files have been inspected. Without a `store` the photos are decoded each time they are used."""

    source: Source
    layout: Layout
    options: DataOptions
    scan: Scan
    store: PhotoStore | None
    shorter: int

    def labelled(self, photos: tuple[Photo, ...], *, exact: bool = False) -> LabelledPhotos:
        """Photos with the indices of their classes; `exact` ones are read from their files, at their full size."""
        index_of = {folder: index for index, folder in enumerate(self.layout.folders)}
        if exact:
            return LabelledPhotos(self.source, photos, index_of)
        return LabelledPhotos(self.source, photos, index_of, self.store, self.shorter)

    def split(self, *, validation: float, test: float, seed: int) -> Split:
        """The split that the data comes with, or fractions of each class; raises BadData where a class is too small."""
        return split(
            self.scan.photos,
            self.layout.folders,
            validation=validation,
            test=test,
            seed=seed,
            left_out=exclusion_reasons(self.layout, self.scan.findings),
            exclusion=exclusion_options(self.layout, self.options),
        )


def open_data_set(path: Path, options: DataOptions, unpacked: Path) -> OpenDataSet:
    """The data set in a folder or archive, which is unpacked into `unpacked` if need be; raises BadData."""
    source = open_source(path, options, unpacked=unpacked)
    return OpenDataSet(source, layout(source, options), options)

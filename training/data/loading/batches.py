"""Photos -> batches: random crops to train on, and the serving preprocessing to measure with."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float, Int64
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from models.preprocessing import preprocess, to_float
from models.spec import Spec
from training.data.loading.augment import Augment, Levels
from training.data.loading.photo_store import PhotoStore, shrink
from training.data.loading.plan import Key, Plan
from training.data.loading.workers import begin_worker, context
from training.data.scan.inspect_file import UNDECODABLE, Photo, pixel_digest, read_picture
from training.data.sources.source import BadData, Source

Batch = tuple[Tensor, Int64[Tensor, " n"]]
"""Pixels [n, 3, h, w] and class indices."""

AHEAD = 4
"""Batches that each worker has ready: enough to bridge a step that saves, few enough for the memory."""


@dataclass(frozen=True)
class Labelled:
    """Photos of one side of the split, with the index of each folder's class.

    Pixels come out of the store, where there is one; else each file is decoded, and shrunk to a `shorter` side as the
    store would have it. Without it they are the file's own.
    """

    source: Source
    photos: Sequence[Photo]
    index_of: Mapping[str, int]
    store: PhotoStore | None = None
    shorter: int | None = None

    def __len__(self) -> int:
        return len(self.photos)

    @property
    def labels(self) -> Int64[Tensor, " n"]:
        """Class indices, in the order of the photos."""
        return torch.tensor([self.index_of[photo.folder] for photo in self.photos])

    def label(self, index: int) -> int:
        """The class of one photo."""
        return self.index_of[self.photos[index].folder]

    def pixels(self, index: int) -> Levels:
        """One picture; raises BadData that names the file."""
        photo = self.photos[index]
        if self.store is not None and photo.digest in self.store:
            with suppress(OSError):  # it is damaged, or another run has needed its room and a worker finds it gone
                return self.store.pixels(photo.digest)
        try:
            pixels = read_picture(self.source, photo.name).pixels
        except UNDECODABLE as error:
            raise BadData(f"{photo.name} could be decoded before and now cannot: was it changed?") from error
        if pixel_digest(pixels) != photo.digest:
            # It would be trained on, or judged, under the digest of another picture.
            raise BadData(f"{photo.name} has been changed since it was looked at: give the command again")
        return pixels if self.shorter is None else shrink(pixels, self.shorter)


def spread(count: int, total: int) -> list[int]:
    """So many indices below `total`, as even as can be; all of them where there are no more."""
    count = min(count, total)
    return [place * total // count for place in range(count)]


class _Crops(Dataset[Batch]):
    """What is trained on: a photo by its key in the plan."""

    def __init__(self, labelled: Labelled, augment: Augment) -> None:
        self.labelled, self.augment = labelled, augment

    def __getitem__(self, key: Key) -> Batch:
        index = key[2]
        return self.augment(self.labelled.pixels(index), key), torch.tensor(self.labelled.label(index))


class _Served(Dataset[Batch]):
    """What the service would show the network: float [3, s, s] in [0, 1]."""

    def __init__(self, labelled: Labelled, spec: Spec) -> None:
        self.labelled, self.spec = labelled, spec

    def __len__(self) -> int:
        return len(self.labelled)

    def __getitem__(self, index: int) -> tuple[Float[Tensor, "3 s s"], Tensor]:
        pixels = to_float(self.labelled.pixels(index)).unsqueeze(0)
        return preprocess(pixels, self.spec)[0], torch.tensor(self.labelled.label(index))


def training_batches(
    labelled: Labelled, plan: Plan, start: int, *, workers: int, rank: int = 0, ranks: int = 1
) -> Iterable[Batch]:
    """The plan's batches from step `start` on: uint8 crops [n, 3, size, size].

    One loader for all epochs: its workers are started once, and are ahead with the next epoch while this one is
    measured. Of a team of processes each has its share of every batch.
    """
    crops, batches = _Crops(labelled, Augment(plan.recipe)), _Batches(plan, start, rank, ranks)
    # DataLoader's types know of indices alone; it hands on whatever a sampler gives.
    return DataLoader(crops, batch_sampler=batches, **_options(workers))


@dataclass(frozen=True)
class _Batches:
    """The plan's batches, as a sampler."""

    plan: Plan
    start: int
    rank: int
    ranks: int

    def __iter__(self) -> Iterator[list[Key]]:
        return self.plan.batches(self.start, rank=self.rank, ranks=self.ranks)


def serving_batches(labelled: Labelled, spec: Spec, *, batch_size: int, workers: int) -> DataLoader[Batch]:
    """Batches in order as the service would see them, float [n, 3, s, s] in [0, 1]; may be gone through many times."""
    return DataLoader(
        _Served(labelled, spec), batch_size=batch_size, persistent_workers=workers > 0, **_options(workers)
    )


def _options(workers: int) -> dict[str, Any]:
    return {
        "num_workers": workers,
        "prefetch_factor": AHEAD if workers else None,
        "multiprocessing_context": context() if workers else None,
        "worker_init_fn": begin_worker,
        "pin_memory": torch.cuda.is_available(),
        "generator": torch.Generator(),  # workers' seeds are drawn from it, and not from everybody's
    }

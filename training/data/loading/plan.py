"""The plan of a run: which photos are in which step, in which order and at which size, as its seed determines."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import torch

from training.data.loading.seeds import stable_seed
from training.recipe import Recipe

Key = tuple[int, int, int]
"""Size in pixels, epoch, and index of the photo: together with the seed they determine a training crop."""


@dataclass(frozen=True)
class Plan:
    """The steps of a run over `photos` photos. Epochs train on crops of the size `early` or `full`, in pixels.

    `stages` are the learning rate schedules that the run goes through, as (first epoch, end epoch) counted from 0; by
    default there is one over all epochs. The last epochs of each stage use the full size.

    A batch is a function of the number of its step. So a stopped run can continue within an epoch, and each process of
    a process group knows the whole batch of which it computes a part.
    """

    recipe: Recipe
    photos: int
    early: int
    full: int
    stages: tuple[tuple[int, int], ...] = ()

    @property
    def batch_size(self) -> int:
        """Number of photos per step."""
        return min(self.recipe.batch_size, self.photos)

    @property
    def steps_per_epoch(self) -> int:
        """Full batches in an epoch. A smaller last batch is left out: it would count as much as a full one."""
        return self.photos // self.batch_size

    @property
    def steps(self) -> int:
        """Number of steps of the whole run."""
        return self.recipe.epochs * self.steps_per_epoch

    def size(self, epoch: int) -> int:
        """Size in pixels of the crops of an epoch, counted from 0."""
        end = next(end for first, end in reversed(self._stages) if first <= epoch)
        return self.full if epoch >= end - self.recipe.full_size_epochs else self.early

    @property
    def spans(self) -> tuple[tuple[int, int], ...]:
        """The stages as (first step, end step), counted from 0."""
        return tuple((first * self.steps_per_epoch, end * self.steps_per_epoch) for first, end in self._stages)

    @property
    def _stages(self) -> tuple[tuple[int, int], ...]:
        return self.stages or ((0, self.recipe.epochs),)

    def batch(self, step: int) -> list[Key]:
        """The keys of the photos of a step, in order."""
        epoch, number = divmod(step, self.steps_per_epoch)
        order = _order(self.photos, self.recipe.seed, epoch)
        batch = order[number * self.batch_size : (number + 1) * self.batch_size]
        return [(self.size(epoch), epoch, index) for index in batch]

    def batches(self, start: int, *, rank: int = 0, ranks: int = 1) -> Iterator[list[Key]]:
        """The batches from step `start` on; in a process group, the part of process `rank` of `ranks`."""
        for step in range(start, self.steps):
            yield self.batch(step)[rank::ranks]

    def cost(self, start: int) -> float:
        """Cost of all steps from `start` on, in millions of pixels."""
        epoch, done = divmod(start, self.steps_per_epoch)
        whole_epochs = sum(map(self._step_cost, range(epoch, self.recipe.epochs))) * self.steps_per_epoch
        return whole_epochs - done * self._step_cost(epoch)

    def _step_cost(self, epoch: int) -> float:
        """Cost of one step of an epoch, in millions of pixels."""
        return self.batch_size * self.size(epoch) ** 2 / 1e6


@lru_cache(maxsize=2)
def _order(photos: int, seed: int, epoch: int) -> list[int]:
    random = torch.Generator().manual_seed(stable_seed(f"{seed}:{epoch}:order"))
    order: list[int] = torch.randperm(photos, generator=random).tolist()
    return order

"""Which photos at which size at which step: all of a run's chance about data, decided by its seed alone."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import torch

from training.data.loading.seeds import stable_seed
from training.recipe import Recipe

Key = tuple[int, int, int]
"""Size in pixels, epoch, index of the photo: what a training crop is decided by."""


@dataclass(frozen=True)
class Plan:
    """The steps of a run over so many photos; `early` and `full` are the sizes that epochs train at.

    `stages` are the schedules of learning rates that the run goes through, as (first epoch, end) in epochs from 0; by
    default there is one, over all epochs. The last epochs of each stage are of full size.

    A step is a function of its number: a run that is stopped goes on in the middle of an epoch, and every process of
    a team knows the whole batch of which it takes its share.
    """

    recipe: Recipe
    photos: int
    early: int
    full: int
    stages: tuple[tuple[int, int], ...] = ()

    @property
    def batch_size(self) -> int:
        """Photos per step."""
        return min(self.recipe.batch_size, self.photos)

    @property
    def steps_per_epoch(self) -> int:
        """Whole batches only: an odd small one at the end would count as much as a full one."""
        return self.photos // self.batch_size

    @property
    def steps(self) -> int:
        """Of the whole run."""
        return self.recipe.epochs * self.steps_per_epoch

    def size(self, epoch: int) -> int:
        """The size that an epoch (from 0) trains at."""
        end = next(end for first, end in reversed(self._stages) if first <= epoch)
        return self.full if epoch >= end - self.recipe.full_size_epochs else self.early

    @property
    def spans(self) -> tuple[tuple[int, int], ...]:
        """The stages as (first step, end) in steps from 0."""
        return tuple((first * self.steps_per_epoch, end * self.steps_per_epoch) for first, end in self._stages)

    @property
    def _stages(self) -> tuple[tuple[int, int], ...]:
        return self.stages or ((0, self.recipe.epochs),)

    def batch(self, step: int) -> list[Key]:
        """The photos of a step, in order."""
        epoch, place = divmod(step, self.steps_per_epoch)
        chosen = _order(self.photos, self.recipe.seed, epoch)[place * self.batch_size : (place + 1) * self.batch_size]
        return [(self.size(epoch), epoch, index) for index in chosen]

    def batches(self, start: int, *, rank: int = 0, ranks: int = 1) -> Iterator[list[Key]]:
        """The batches from a step on; of a group, every `ranks`-th photo of each."""
        for step in range(start, self.steps):
            yield self.batch(step)[rank::ranks]

    def cost(self, start: int) -> float:
        """Work of all steps from this one on, in millions of pixels."""
        epoch, place = divmod(start, self.steps_per_epoch)
        whole = sum(self._cost_of(later) for later in range(epoch, self.recipe.epochs)) * self.steps_per_epoch
        return whole - place * self._cost_of(epoch)

    def _cost_of(self, epoch: int) -> float:
        """Work of one step."""
        return self.batch_size * self.size(epoch) ** 2 / 1e6


@lru_cache(maxsize=2)
def _order(photos: int, seed: int, epoch: int) -> list[int]:
    random = torch.Generator().manual_seed(stable_seed(f"{seed}:{epoch}:order"))
    order: list[int] = torch.randperm(photos, generator=random).tolist()
    return order

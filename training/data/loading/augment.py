"""Random augmentation of training photos: crop, horizontal flip and, if the recipe asks for it, TrivialAugment."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
from jaxtyping import UInt8
from torch import Tensor

from training.data.loading.plan import Key
from training.data.loading.seeds import stable_seed
from training.recipe import Recipe

if TYPE_CHECKING:
    from torchvision.transforms import v2

Levels = UInt8[Tensor, "3 h w"]


class Augment:
    """A random crop, randomly mirrored and distorted: uint8 [3, size, size].

    Seed, epoch and photo alone determine it. So it is the same in a resumed run, with another number of workers, and on
    several machines.
    """

    def __init__(self, recipe: Recipe) -> None:
        self.recipe = recipe
        self.transforms: dict[int, Callable[[Tensor], Tensor]] = {}

    def __call__(self, pixels: Levels, key: Key) -> Levels:
        size, epoch, index = key
        if size not in self.transforms:
            self.transforms[size] = transforms(self.recipe, size)
        # torchvision's transforms use the global random number generator of torch, and so does dropout.
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(stable_seed(f"{self.recipe.seed}:{epoch}:{index}"))
            return self.transforms[size](pixels)


def transforms(recipe: Recipe, size: int) -> "v2.Compose":
    """The transforms of torchvision that the recipe asks for.

    RandomResizedCrop is from Szegedy et al. 2014 (arXiv:1409.4842), TrivialAugment from Müller & Hutter 2021
    (arXiv:2103.10158). torchvision is imported here, since it takes seconds and a linear probe needs no transforms.
    """
    from torchvision.transforms import v2

    chosen: list[torch.nn.Module] = [
        v2.RandomResizedCrop(size, scale=recipe.crop_scale, antialias=True),
        v2.RandomHorizontalFlip(recipe.flip),
    ]
    if recipe.augmentation == "trivial":
        chosen.append(v2.TrivialAugmentWide(interpolation=v2.InterpolationMode.BILINEAR))
    return v2.Compose(chosen)

"""What training does to a picture before the network sees it, so that no two epochs show the same."""

from collections.abc import Callable

import torch
from jaxtyping import UInt8
from torch import Tensor
from torchvision.transforms import v2

from training.data.loading.plan import Key
from training.data.loading.seeds import stable_seed
from training.recipe import Recipe

Levels = UInt8[Tensor, "3 h w"]


class Augment:
    """A random crop, perhaps mirrored, perhaps distorted: uint8 [3, size, size].

    Decided by seed, epoch and photo alone: a resumed run, one with other workers or on more machines sees the same.
    """

    def __init__(self, recipe: Recipe) -> None:
        self.recipe = recipe
        self.transforms: dict[int, Callable[[Tensor], Tensor]] = {}

    def __call__(self, pixels: Levels, key: Key) -> Levels:
        size, epoch, index = key
        if size not in self.transforms:
            self.transforms[size] = transforms(self.recipe, size)
        # torchvision's transforms draw from torch's one generator, whose state is dropout's too.
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(stable_seed(f"{self.recipe.seed}:{epoch}:{index}"))
            return self.transforms[size](pixels)


def transforms(recipe: Recipe, size: int) -> v2.Compose:
    """torchvision's transforms as the recipe has them; RandomResizedCrop is Szegedy et al. 2014 (arXiv:1409.4842),
    TrivialAugment is Müller & Hutter 2021 (arXiv:2103.10158)."""
    chosen: list[torch.nn.Module] = [
        v2.RandomResizedCrop(size, scale=recipe.crop_scale, antialias=True),
        v2.RandomHorizontalFlip(recipe.flip),
    ]
    if recipe.augmentation == "trivial":
        chosen.append(v2.TrivialAugmentWide(interpolation=v2.InterpolationMode.BILINEAR))
    return v2.Compose(chosen)

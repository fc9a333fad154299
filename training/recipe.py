"""Every choice of a training run, in one place."""

from dataclasses import dataclass
from typing import Literal

Precision = Literal["auto", "float32", "bfloat16"]


class BadRecipe(ValueError):
    """A choice outside of what makes sense."""


@dataclass(frozen=True)
class Recipe:
    """Linear probe, then fine-tuning from its head (LP-FT, Kumar et al. 2022, arxiv.org/abs/2202.10054).

    The defaults are made for some thousand photos and a network that was trained on ImageNet.
    """

    seed: int = 0
    """Decides the split, the order of the photos, the crops and dropout."""
    validation: float = 0.15
    """Fraction of each class that chooses between candidates and sets the temperature."""
    test: float = 0.15
    """Fraction of each class that is looked at once, at the end."""
    input_size: int | None = None
    """Side in pixels of what the network sees; None takes the size that its published weights were made for."""
    grey: bool = False
    """Train a network of one channel, which sees pictures in grey: for those that have no colours."""
    probe_penalties: tuple[float, ...] = (1e-3, 1e-2, 1e-1, 1.0, 10.0)
    """L2 penalties of the linear probe on standardised features; validation chooses one."""
    epochs: int = 8
    """Passes over the training photos after the probe; 0 keeps the probe."""
    full_size_epochs: int = 2
    """So many of the last epochs train at the input size, those before at `early_size` of it (Touvron et al. 2019,
    arxiv.org/abs/1906.06423): half the work per epoch."""
    early_size: float = 5 / 7
    """160 of 224; rounded to a multiple of 16 pixels."""
    batch_size: int = 64
    head_rate: float = 1e-3
    """AdamW's highest learning rate for the head, which comes from the probe."""
    trunk_rate: float = 1e-4
    """AdamW's highest learning rate for all else."""
    weight_decay: float = 0.05
    """Not on biases and normalisations (all parameters of one dimension)."""
    clip: float = 1.0
    """Largest norm of the gradient of all parameters together."""
    warm_up: float = 0.1
    """Fraction of the steps over which the learning rates rise from 0; then they fall to 0 along a cosine."""
    label_smoothing: float = 0.1
    crop_scale: tuple[float, float] = (0.35, 1.0)
    """Area of the random crop, of the photo's; its sides are 3:4 to 4:3 (RandomResizedCrop)."""
    flip: float = 0.5
    """Probability that a photo is mirrored."""
    average_window: float = 0.1
    """The averaged weights (EMA) forget at a rate of one per this fraction of all steps."""
    precision: Precision = "auto"
    """Of the products inside the network while training; `auto` measures both and takes the faster one."""

    def __post_init__(self) -> None:
        if not (0 < self.validation < 1 and 0 < self.test < 1 and self.validation + self.test <= 0.8):
            raise BadRecipe("validation and test are fractions above 0, 0.8 together at most")
        if self.epochs < 0 or self.full_size_epochs < 0:
            raise BadRecipe(f"epochs are 0 or more, not {self.epochs} and {self.full_size_epochs}")
        if self.batch_size < 1:
            raise BadRecipe(f"a batch has one photo or more, not {self.batch_size}")
        if self.input_size is not None and not 16 <= self.input_size <= 1024:
            raise BadRecipe(f"the input size is 16 to 1024 pixels, not {self.input_size}")
        if min(self.head_rate, self.trunk_rate) <= 0:
            raise BadRecipe("learning rates are above 0")

"""Every choice of a training run, in one place; the command line offers each of them as an option."""

from dataclasses import dataclass
from typing import Annotated, Literal

Precision = Literal["auto", "float32", "bfloat16", "float16"]


class BadRecipe(ValueError):
    """A choice outside of what makes sense."""


@dataclass(frozen=True)
class Recipe:
    """Linear probe, then fine-tuning from its head (LP-FT, Kumar et al. 2022, arxiv.org/abs/2202.10054).

    The defaults are made for some thousand photos and a network that was trained on ImageNet.
    """

    seed: Annotated[int, "Decides the split, the order of the photos, the crops and dropout."] = 0
    validation: Annotated[float, "Fraction of each class that chooses between candidates and sets the temperature."] = (
        0.15
    )
    test: Annotated[float, "Fraction of each class that is looked at once, at the end."] = 0.15
    input_size: Annotated[int | None, "Side in pixels of what the network sees; by default as its parent."] = None
    resize: Annotated[
        int | None,
        "Shorter side of a photo, of whose centre the network sees the input size; by default in its parent's "
        "proportion. Random crops show things larger than whole photos do: a larger margin makes up for some of it.",
    ] = None
    grey: Annotated[bool, "A network of one channel, for pictures without colours."] = False

    probe_penalties: Annotated[
        tuple[float, ...], "L2 penalties of the linear probe on standardised features; validation chooses one."
    ] = (1e-3, 1e-2, 1e-1, 1.0, 10.0)

    epochs: Annotated[int, "Passes over the training photos after the probe."] = 8
    batch_size: Annotated[int, "Photos per step, of all processes together."] = 64
    full_size_epochs: Annotated[
        int, "So many of the last epochs train at the input size (Touvron et al. 2019, arxiv.org/abs/1906.06423)."
    ] = 2
    early_size: Annotated[float, "Of it, what those before train at: 160 of 224 is half the work."] = 5 / 7
    patience: Annotated[int | None, "Stop after so many epochs in which validation did not improve."] = None

    optimiser: Annotated[
        Literal["adamw", "sgd"], "AdamW (arxiv.org/abs/1711.05101), or SGD with Nesterov's momentum."
    ] = "adamw"
    head_rate: Annotated[float, "Highest learning rate of the head, which comes from the probe."] = 1e-3
    backbone_rate: Annotated[float, "Highest learning rate of the block before the head."] = 1e-4
    layer_decay: Annotated[
        float, "Each earlier block's rate is this times the next one's (arxiv.org/abs/1801.06146)."
    ] = 1.0
    frozen_blocks: Annotated[
        int, "So many of the first blocks stay as their parent's: 4 of MobileNetV2's 19 are half of a step's time."
    ] = 0
    momentum: Annotated[float, "Of SGD."] = 0.9
    weight_decay: Annotated[float, "Not on biases and normalisations (all parameters of one dimension)."] = 0.05
    schedule: Annotated[Literal["cosine", "linear", "constant"], "How the rates fall to 0 after the warm-up."] = (
        "cosine"
    )
    warm_up: Annotated[float, "Fraction of the steps over which the rates rise from 0."] = 0.1
    clip: Annotated[float, "Largest norm of the gradient of all parameters together; 0: any."] = 1.0
    frozen_statistics: Annotated[
        bool, "Batch norm keeps its parent's statistics: those of a million photos serve better than those of few."
    ] = True
    average_window: Annotated[
        float, "The averaged weights (EMA) forget at a rate of one per this fraction of all steps; 0: no average."
    ] = 0.1

    class_weights: Annotated[
        Literal["none", "balanced"],
        "balanced: in the loss each photo counts inversely to how many its class has, in the linear probe and in "
        "fine-tuning, and the best weights are chosen by balanced accuracy. For classes with few photos.",
    ] = "none"
    label_smoothing: Annotated[float, "Of the labels (arxiv.org/abs/1512.00567)."] = 0.1
    crop_scale: Annotated[tuple[float, float], "Area of the random crop, of the photo's; its sides are 3:4 to 4:3."] = (
        0.35,
        1.0,
    )
    flip: Annotated[float, "Probability that a photo is mirrored."] = 0.5
    augmentation: Annotated[
        Literal["none", "trivial"], "TrivialAugment (arxiv.org/abs/2103.10158), or the crop alone."
    ] = "none"
    mixup: Annotated[float, "Alpha of mixup (arxiv.org/abs/1710.09412); 0: none."] = 0.0
    cutmix: Annotated[
        float, "Alpha of CutMix (arxiv.org/abs/1905.04899); with mixup each batch takes one; 0: none."
    ] = 0.0
    dropout: Annotated[float | None, "Of all dropout layers; by default as the architecture has it."] = None

    attack_steps: Annotated[
        int,
        "Train on pictures attacked in so many steps: 1 is fast FGSM (arxiv.org/abs/2001.03994), more PGD; 0: none.",
    ] = 0
    epsilon: Annotated[float, "Largest change of a value by that attack (Linf), pixels from 0 to 1."] = 4 / 255
    epsilon_warm_up: Annotated[
        float, "Fraction of the steps over which epsilon rises from 0: else nothing is learnt."
    ] = 0.6

    precision: Annotated[Precision, "Of the products inside the network; auto measures which is fastest here."] = "auto"
    channels_last: Annotated[bool, "Channels beside each other in memory: faster nearly everywhere."] = True
    compile: Annotated[bool, "torch.compile: a minute or two at the start, then perhaps faster."] = False

    def __post_init__(self) -> None:
        if not (0 < self.validation < 1 and 0 < self.test < 1 and self.validation + self.test <= 0.8):
            raise BadRecipe("validation and test are fractions above 0, 0.8 together at most")
        for name, most in _WHOLE.items():
            value = getattr(self, name)
            if value is not None and not most[0] <= value <= most[1]:
                raise BadRecipe(f"{name} is {most[0]} to {most[1]:,}, not {value}")
        for name, (low, high) in _FRACTIONS.items():
            if getattr(self, name) is not None and not low <= getattr(self, name) <= high:
                raise BadRecipe(f"{name} is {low:g} to {high:g}, not {getattr(self, name):g}")
        if not 0 < self.crop_scale[0] <= self.crop_scale[1] <= 1:
            raise BadRecipe(f"crop_scale is two fractions above 0, the smaller first, not {self.crop_scale}")
        if not self.probe_penalties or min(self.probe_penalties) <= 0:
            raise BadRecipe("probe_penalties are one or more, all above 0")
        for choice in ("mixup", "cutmix"):
            if self.attack_steps and getattr(self, choice):
                raise BadRecipe(f"attack_steps and {choice} exclude each other: an attack leaves one label")
        if min(self.head_rate, self.backbone_rate) <= 0:
            raise BadRecipe("learning rates are above 0")


_WHOLE = {
    "epochs": (0, 100_000),
    "full_size_epochs": (0, 100_000),
    "frozen_blocks": (0, 1000),
    "batch_size": (1, 100_000),
    "input_size": (16, 1024),
    "resize": (16, 2048),
    "patience": (1, 100_000),
    "attack_steps": (0, 1000),
}
_FRACTIONS = {
    **dict.fromkeys(("early_size", "layer_decay"), (0.01, 1.0)),
    **dict.fromkeys(("momentum", "warm_up", "flip", "epsilon_warm_up", "epsilon"), (0.0, 1.0)),
    **dict.fromkeys(("label_smoothing", "dropout"), (0.0, 0.99)),
    "average_window": (0.0, 1.0),
    **dict.fromkeys(("weight_decay", "clip", "mixup", "cutmix"), (0.0, 1000.0)),
    **dict.fromkeys(("head_rate", "backbone_rate"), (0.0, 100.0)),
}

ROBUST = Recipe(
    epochs=16,
    full_size_epochs=4,
    head_rate=2e-3,
    backbone_rate=1e-3,
    weight_decay=0.01,
    frozen_statistics=False,
    label_smoothing=0.0,
    average_window=0.05,
    attack_steps=1,
)
"""What `--robust` starts from: every weight and statistic has to move, and far."""

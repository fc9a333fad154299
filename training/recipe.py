"""Every setting of a training run that shapes the trained network; the command line offers each one as an option."""

from dataclasses import dataclass
from typing import Annotated, Literal

from training.command_line import CommandLine

Precision = Literal["auto", "float32", "bfloat16", "float16"]


class BadRecipe(ValueError):
    """A setting outside of the values that it may take, or one that does not go with another."""


@dataclass(frozen=True)
class Recipe:
    """Linear probe, then fine-tuning from its head (LP-FT, Kumar et al. 2022, arxiv.org/abs/2202.10054).

    The defaults are made for some thousand photos and a network that was trained on ImageNet. The annotation of each
    field describes it. Raises BadRecipe.
    """

    seed: Annotated[
        int,
        "Seed of the random number generators that draw the split, the order of the photos, the crops and dropout. "
        "The same seed on the same machine gives the same weights.",
    ] = 0
    validation: Annotated[
        float,
        "Fraction of each class for the validation split, which chooses the best weights and sets the temperature "
        "of the probabilities. It is more than 0, and at most 0.8 together with --test. A larger fraction measures "
        "more exactly and leaves fewer photos to train on. Where the data comes with a validation split, that "
        "split is used instead.",
    ] = 0.15
    test: Annotated[
        float,
        "Fraction of each class for the test split, which measures the finished classifier once and is used for "
        "nothing else. It is more than 0, and at most 0.8 together with --validation. A larger fraction measures "
        "more exactly and leaves fewer photos to train on. Where the data comes with a test split, that split is "
        "used instead.",
    ] = 0.15
    input_size: Annotated[
        int | None,
        "Side in pixels of the square picture that the network is given. Larger pictures show more detail, and each "
        "step takes time in proportion to their area. By default it is the input size of the pretrained weights.",
    ] = None
    resize: Annotated[
        int | None,
        "Length in pixels to which the shorter side of a photo is scaled, before its centre is cropped to the input "
        "size. It is at least the input size. Random crops show things larger than whole photos do; a larger value "
        "compensates for a part of that. By default its proportion to the input size is that of the pretrained "
        "weights.",
    ] = None
    grey: Annotated[bool, "Train a network with one input channel, for pictures without colours, instead of three."] = (
        False
    )

    probe_penalties: Annotated[
        tuple[float, ...],
        "L2 penalties to try for the linear probe on standardised features, each more than 0; the validation split "
        "chooses one of them. Give the option several times for several penalties. Larger penalties fit the "
        "training photos less closely.",
    ] = (1e-3, 1e-2, 1e-1, 1.0, 10.0)

    epochs: Annotated[
        int,
        "Number of passes over the training photos after the linear probe; 0 trains the head alone. More epochs "
        "take proportionally more time.",
    ] = 8
    batch_size: Annotated[
        int,
        "Number of photos per step, of all processes together. Larger batches need proportionally more memory and "
        "make fewer steps per epoch.",
    ] = 64
    full_size_epochs: Annotated[
        int,
        "Number of the last epochs that train at the full input size, after earlier epochs at --early-size (Touvron "
        "et al. 2019, arxiv.org/abs/1906.06423). More of them take more time.",
    ] = 2
    early_size: Annotated[
        float,
        "Image size of the epochs before --full-size-epochs, as a fraction of the input size, rounded to a multiple "
        "of 16 pixels. The work of a step grows with its square: 160 of 224 pixels is half the work.",
    ] = 5 / 7
    patience: Annotated[
        int | None,
        "Number of epochs in a row without an improvement on the validation split after which training stops. By "
        "default it goes on to the last epoch.",
    ] = None

    optimiser: Annotated[
        Literal["adamw", "sgd"],
        "Optimiser: AdamW (arxiv.org/abs/1711.05101), or SGD with Nesterov momentum.",
    ] = "adamw"
    head_rate: Annotated[
        float,
        "Peak learning rate of the classification head, which starts from the linear probe. Higher rates "
        "learn faster, and diverge when they are too high.",
    ] = 1e-3
    backbone_rate: Annotated[
        float,
        "Peak learning rate of the last block of the backbone; --layer-decay sets the rates of the earlier blocks. "
        "Higher rates change the pretrained weights more; find-lr suggests one.",
        CommandLine(old_name="--trunk-rate"),
    ] = 1e-4
    layer_decay: Annotated[
        float,
        "Factor by which the learning rate of each block is smaller than that of the next block "
        "(arxiv.org/abs/1801.06146). With 1, all blocks of the backbone learn at the same rate; smaller values keep "
        "the early blocks closer to the pretrained weights.",
    ] = 1.0
    frozen_blocks: Annotated[
        int,
        "Number of first blocks of the backbone that keep their pretrained weights. More frozen blocks make steps "
        "faster: 4 of the 19 blocks of MobileNetV2 save half of the time.",
    ] = 0
    momentum: Annotated[
        float,
        "Momentum of SGD; AdamW ignores it. Larger values average over more steps.",
    ] = 0.9
    weight_decay: Annotated[
        float,
        "Decoupled weight decay of AdamW, or L2 penalty of SGD, on all parameters except biases and normalisation "
        "layers. Larger values keep the weights smaller.",
    ] = 0.05
    schedule: Annotated[
        Literal["cosine", "linear", "constant"],
        "How the learning rates change after the warm-up: they fall to 0 along a cosine or a line, or stay constant.",
    ] = "cosine"
    warm_up: Annotated[
        float,
        "Fraction of all steps over which the learning rates rise linearly from 0 to their peak. A longer warm-up "
        "changes the pretrained weights more gently at first.",
    ] = 0.1
    clip: Annotated[
        float,
        "Largest L2 norm of the gradient of all parameters together; a larger gradient is scaled down to it. With 0 "
        "gradients are not clipped.",
    ] = 1.0
    frozen_statistics: Annotated[
        bool,
        "Whether batch normalisation keeps the running statistics of the pretrained weights instead of following "
        "the training photos. Statistics of a million photos serve better than those of few.",
    ] = True
    average_window: Annotated[
        float,
        "Length of the exponential moving average of the weights (EMA), as a fraction of all steps: with a length of "
        "n steps the newest weights count 1/n. Larger values average over more steps; with 0 there is no average. "
        "The validation split chooses between the averaged and the plain weights.",
    ] = 0.1

    class_weights: Annotated[
        Literal["none", "balanced"],
        "Weights of the classes in the loss. balanced: each photo is weighted inversely to the number of photos of "
        "its class, in the linear probe and in fine-tuning, and the best weights are chosen by balanced accuracy; "
        "use it where some classes have few photos. none: all photos have the same weight.",
    ] = "none"
    label_smoothing: Annotated[
        float,
        "Part of the probability that the training labels give equally to all classes (label smoothing, "
        "arxiv.org/abs/1512.00567). Larger values make the classifier less confident.",
    ] = 0.1
    crop_scale: Annotated[
        tuple[float, float],
        "Smallest and largest area of the random training crops, as two fractions of the area of the photo; their "
        "aspect ratio is between 3:4 and 4:3. A smaller lower bound augments more strongly.",
    ] = (0.35, 1.0)
    flip: Annotated[float, "Probability that a training photo is mirrored left to right."] = 0.5
    augmentation: Annotated[
        Literal["none", "trivial"],
        "Augmentation beside random crops and mirroring. trivial: one random operation of random strength for each "
        "photo (TrivialAugment, arxiv.org/abs/2103.10158). none: nothing else.",
    ] = "none"
    mixup: Annotated[
        float,
        "Parameter alpha of mixup, which blends pairs of photos and their labels (arxiv.org/abs/1710.09412). Larger "
        "values blend more evenly; with 0 mixup is off.",
    ] = 0.0
    cutmix: Annotated[
        float,
        "Parameter alpha of CutMix, which pastes a part of one photo into another and mixes their labels "
        "(arxiv.org/abs/1905.04899). With 0 CutMix is off; if mixup is on too, each batch uses one of them at "
        "random.",
    ] = 0.0
    dropout: Annotated[
        float | None,
        "Probability with which all dropout layers of the network drop a value. By default each layer keeps the "
        "probability of the architecture.",
    ] = None

    attack_steps: Annotated[
        int,
        "Number of steps of the attack on each training picture (adversarial training). 1 is fast FGSM "
        "(arxiv.org/abs/2001.03994), more are PGD; with 0 pictures are not attacked. Each step costs one more pass "
        "of the network.",
    ] = 0
    epsilon: Annotated[
        float,
        "Largest change of any pixel value by the attack during training (Linf budget), with pixel values from 0 to "
        "1; 0.0157 is 4/255. Larger values make the network more robust, and less accurate without an attack.",
    ] = 4 / 255
    epsilon_warm_up: Annotated[
        float,
        "Fraction of all steps over which epsilon rises linearly from 0. Without a warm-up the network may learn "
        "nothing.",
    ] = 0.6

    precision: Annotated[
        Precision,
        "Floating-point format of the products inside the network during training. auto measures which one is "
        "fastest on this machine.",
    ] = "auto"
    channels_last: Annotated[
        bool,
        "Whether the channels of a pixel lie beside each other in memory, which is faster on nearly all devices.",
    ] = True
    compile: Annotated[
        bool,
        "Compile the network with torch.compile: it takes a minute or two at the start, and may speed up steps.",
    ] = False

    def __post_init__(self) -> None:
        if not (0 < self.validation < 1 and 0 < self.test < 1 and self.validation + self.test <= 0.8):
            raise BadRecipe(
                f"validation and test must be fractions above 0, 0.8 together at most, not {self.validation:g} and "
                f"{self.test:g}"
            )
        for name, (least, most) in BOUNDS.items():
            value = getattr(self, name)
            if value is not None and not least <= value <= most:  # written in this way, it refuses NaN too
                raise BadRecipe(f"{name} must be {number_text(least)} to {number_text(most)}, not {number_text(value)}")
        if not 0 < self.crop_scale[0] <= self.crop_scale[1] <= 1:
            raise BadRecipe(f"crop_scale must be two fractions above 0, the smaller first, not {self.crop_scale}")
        if not self.probe_penalties or min(self.probe_penalties) <= 0:
            raise BadRecipe(f"probe_penalties must be one or more numbers, all above 0, not {self.probe_penalties}")
        for choice in ("mixup", "cutmix"):
            if self.attack_steps and getattr(self, choice):
                raise BadRecipe(f"attack_steps and {choice} exclude each other: an attack needs a single label")
        if min(self.head_rate, self.backbone_rate) <= 0:
            rates = f"{self.head_rate:g} (head_rate) and {self.backbone_rate:g} (backbone_rate)"
            raise BadRecipe(f"learning rates must be above 0, not {rates}")


def number_text(value: float) -> str:
    """The number as text, for people to read."""
    return f"{value:,}" if isinstance(value, int) else f"{value:g}"


BOUNDS: dict[str, tuple[float, float]] = {
    **dict.fromkeys(("epochs", "full_size_epochs"), (0, 100_000)),
    **dict.fromkeys(("batch_size", "patience"), (1, 100_000)),
    **dict.fromkeys(("frozen_blocks", "attack_steps"), (0, 1000)),
    "input_size": (16, 1024),
    "resize": (16, 2048),
    **dict.fromkeys(("early_size", "layer_decay"), (0.01, 1.0)),
    **dict.fromkeys(("momentum", "warm_up", "flip", "average_window", "epsilon", "epsilon_warm_up"), (0.0, 1.0)),
    **dict.fromkeys(("label_smoothing", "dropout"), (0.0, 0.99)),
    **dict.fromkeys(("weight_decay", "clip", "mixup", "cutmix"), (0.0, 1000.0)),
    **dict.fromkeys(("head_rate", "backbone_rate"), (0.0, 100.0)),
}
"""Smallest and largest value of each field that has bounds, both included."""

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
"""The defaults with `--robust` (adversarial training): every weight and statistic has to move, and far."""

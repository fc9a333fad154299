"""The options of each operation, as keyword arguments.

An option that is left out, or None, has the service's own default. The HTTP reference of the service describes each
option in full, with its bounds and its default for each attack or method.
"""

from collections.abc import Sequence
from typing import Literal, TypedDict

from mirage.pictures import PictureLike

Attack = Literal[
    "auto",
    "fgsm",
    "bim",
    "mi_fgsm",
    "pgd",
    "apgd",
    "square",
    "ddn",
    "deepfool",
    "fmn",
    "carlini_wagner",
    "sigma_zero",
    "patch",
]
"""The attacks, by their names. The README lists their papers."""
Norm = Literal["linf", "l2", "l1", "l0"]
"""Norms of a perturbation: the largest change, the Euclidean length, the sum of all changes, the number of pixels."""
Effort = Literal["quick", "standard", "thorough"]
"""How much work the service puts in."""
ClassName = str | int
"""A class, by its name or by its index from 0."""


class ClassifyOptions(TypedDict, total=False):
    """Options of `classify`."""

    model: str | None
    """Name of a served model; without it the default model answers."""
    top: int | None
    """Number of most probable classes to return, from 1 to 1000; 5 by default."""


class FoolOptions(TypedDict, total=False):
    """Options of `fool`."""

    target: ClassName | None
    """Class that the model is to see; without it any class other than the original one counts as a success."""
    attack: Attack | None
    """The attack; by default `pgd` with `epsilon`, else `auto`, which finds the smallest perturbation."""
    norm: Norm | None
    """Norm in which the perturbation is measured; the first norm of the attack by default."""
    epsilon: float | str | None
    """Budget in the unit of the norm, with pixel values from 0 to 1: a number, or a fraction such as "8/255"."""
    confidence: float | None
    """Margin in logits, from 0 to 100, by which the goal must lead."""
    effort: Effort | None
    """With `auto`: how much work the search for the smallest perturbation puts in."""
    stop: Literal["strongest", "first"] | None
    """With a budget: end after all steps, or with the first success that is verified in the file."""
    survive: str | Sequence[str] | None
    """What the attack must survive: "jpeg:75", "resize:0.5", or several of them."""
    mask: PictureLike | None
    """Picture of the same size: only where it is light (128 or more of 255) may the picture change."""
    box: str | tuple[int, int, int, int] | None
    """Rectangle (left, top, width, height) in pixels, inside which alone the picture may change."""
    deadline_s: float | None
    """Seconds after which the best result so far is returned."""
    model: str | None
    """Name of a served model; without it the default model answers."""
    steps: int | None
    """Number of steps of the attack, from 1 to 1000."""
    seed: int | None
    """Seed of the random number generator; the same seed gives the same result."""
    step_size: float | None
    """Length of a step, or learning rate, of `bim`, `pgd`, `fmn`, `carlini_wagner`, `sigma_zero` and `patch`."""
    momentum: float | None
    """For `mi_fgsm`: weight of the sum of all earlier gradients, from 0 to 10."""
    restarts: int | None
    """For `pgd` and `apgd`: number of runs, each from another random starting point, from 1 to 20."""
    random_start: bool | None
    """For `pgd`: whether the first run begins at a random point within the budget."""
    loss: Literal["ce", "dlr", "dlr_targeted"] | None
    """For `apgd`: the loss, which is the cross-entropy or a difference of logits ratio."""
    candidates: int | None
    """For `apgd` and `deepfool`: number of most probable other classes that are tried."""
    p: float | None
    """For `square`: fraction of the picture that the first square covers."""
    gamma: float | None
    """For `ddn` and `fmn`: fraction by which the allowed size shrinks after a success and grows after a failure."""
    initial: float | None
    """For `ddn`: L2 norm of the perturbation after the first step."""
    overshoot: float | None
    """For `deepfool`: how far a step goes beyond the decision boundary, as a fraction of the distance to it."""
    searches: int | None
    """For `carlini_wagner`: number of searches for the weight of the classification loss, from 1 to 20."""
    initial_constant: float | None
    """For `carlini_wagner`: weight of the classification loss in the first search."""
    sigma: float | None
    """For `sigma_zero`: smoothing of the count of changed pixels."""
    threshold_step: float | None
    """For `sigma_zero`: how fast the threshold of small changes adapts."""
    size: float | None
    """For `patch`: side of the patch as a fraction of the picture's shorter side."""
    samples: int | None
    """For `patch`: number of random placements that each step averages over, from 1 to 8."""
    jitter: bool | None
    """For `patch`: whether the placements vary in size, brightness, contrast and angle."""


class IdealOptions(TypedDict, total=False):
    """Options of `ideal`."""

    model: str | None
    """Name of a served model; without it the default model answers."""
    method: Literal["fourier", "maco", "pixel"] | None
    """Parametrisation of the picture: its spectrum, the phases of a spectrum, or its pixel values."""
    effort: Effort | None
    """How much work goes into the picture; it chooses the defaults of the options below."""
    seed: int | None
    """Seed of the random number generator; the same seed gives the same picture."""
    count: int | None
    """Number of pictures, from 1 to 16, each from the next seed."""
    size: int | None
    """Side of the square picture in pixels, from 16 to 1024; the model's input size by default."""
    judge: str | None
    """Name of another served model that classifies the picture as a second opinion."""
    objective: Literal["logit", "cross_entropy", "margin"] | None
    """What gradient ascent raises for a class."""
    steps: int | None
    """Largest number of steps of gradient ascent, from 1 to 2000."""
    crops: int | None
    """Number of random crops that the network looks at in each step; with 0 it looks at the whole picture."""
    batch: int | None
    """Number of crops in one query to the network."""
    noise: float | None
    """Standard deviation of the noise on what the network looks at, with pixel values from 0 to 1."""
    noise_rise: float | None
    """Fraction of the steps in which the noise rises to its full strength."""
    patience: int | None
    """Number of steps without progress after which the ascent ends early; 0 turns this off."""
    sure: float | None
    """Mean probability of the class from which the ascent ends early; 1 turns this off."""
    tv: float | None
    """Weight of the total variation; larger values make smoother pictures."""
    final_rate: float | None
    """Learning rate of the last step as a fraction of that of the first."""
    decay: float | None
    """For `fourier` and `maco`: how fast the spectrum falls with the frequency."""
    learning_rate: float | None
    """Learning rate of the ascent."""
    momentum: float | None
    """For `fourier`: Adam's beta1."""
    clamp: bool | None
    """For `pixel`: whether the pixel values are kept in [0, 1]."""


class CurveOptions(TypedDict, total=False):
    """Options of `curve`."""

    target: ClassName | None
    """Class that the model is to see; without it any class other than the original one counts."""
    norms: Sequence[Norm] | None
    """Norms in which to look for the smallest perturbation; all four by default."""
    norm: Literal["linf", "l2", "l1"] | None
    """Norm of the curve's budgets; l2 by default."""
    effort: Effort | None
    """How much work the searches put in."""
    steps: int | None
    """Number of steps of each search, from 1 to 1000."""
    seed: int | None
    """Seed of the random number generator; the same seed gives the same result."""
    deadline_s: float | None
    """Seconds after which the best result so far is returned."""
    model: str | None
    """Name of a served model; without it the default model answers."""


class TargetsOptions(TypedDict, total=False):
    """Options of `targets`."""

    top: int | None
    """Number of nearest classes to return, from 1 to 50."""
    candidates: int | None
    """Number of most probable other classes whose distance is measured, from 1 to 50."""
    model: str | None
    """Name of a served model; without it the default model answers."""


class FeaturesOptions(TypedDict, total=False):
    """Options of `features`, beside the layer."""

    channels: int | Sequence[int] | None
    """A number of channels to show, strongest first, or the indices of channels; at most 100."""
    separate: bool | None
    """Whether each feature map is a picture of its own, in place of one labelled picture of all."""
    model: str | None
    """Name of a served model; without it the default model answers."""


class ExplainOptions(TypedDict, total=False):
    """Options of `explain`."""

    target: ClassName | None
    """Class whose score is explained; the most probable one by default."""
    method: Literal["grad_cam", "smooth_grad", "integrated_gradients"] | None
    """Regions that support the class, or pixels on which its score depends."""
    layer: str | None
    """For `grad_cam`: name of the layer whose feature maps are weighted."""
    samples: int | None
    """For `smooth_grad`: number of noisy copies, from 1 to 500."""
    noise: float | None
    """For `smooth_grad`: standard deviation of the noise, as a fraction of the range of the pixel values."""
    steps: int | None
    """For `integrated_gradients`: number of points on the path, from 2 to 500."""
    seed: int | None
    """For `smooth_grad`: seed of the random number generator."""
    model: str | None
    """Name of a served model; without it the default model answers."""

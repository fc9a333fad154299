"""What several results share: a class with its probability, norms, progress, and the reason of a failure."""

from dataclasses import dataclass

from PIL import Image

from mirage.results.pictures import WithPictures


@dataclass(frozen=True)
class Prediction:
    """A class and the probability that the model gives it."""

    label: str
    """Name of the class."""
    index: int
    """Index of the class in the model's list of classes, from 0."""
    probability: float
    """Probability that the model gives the class, from 0 to 1."""


@dataclass(frozen=True)
class TargetClass:
    """The class that an attack is to reach."""

    label: str
    """Name of the class."""
    index: int
    """Index of the class in the model's list of classes, from 0."""


@dataclass(frozen=True)
class Passes:
    """How many pictures went through the network to compute the result."""

    forward: int
    """Number of pictures that passed through the network, counted once per pass."""
    backward: int
    """Number of these for which a gradient was computed as well."""


@dataclass(frozen=True)
class ProgressEvent(WithPictures):
    """How far a task has come: the data of an event `progress`, in which what does not apply is missing."""

    step: int
    """Number of the step that is done, from 1."""
    steps: int
    """Number of steps that the task makes at most."""
    score: float | None
    """How near the task is to its goal; None if it has no score."""
    success: bool | None
    """Whether a result that reaches the goal has been verified in the file already; None if the task has no such
    goal."""
    eta_s: float | None
    """Estimated seconds that the remaining steps take under the present load, without the final verification or
    scoring; None without an estimate: in the first steps, and after the last."""
    probabilities: tuple[Prediction, ...] = ()
    """From an attack, the five most probable classes of the best picture so far, best first, and after them the
    target class (without a target, the original class) if it is not among them."""
    preview: Image.Image | None = None
    """With the option `previews`, at most ten times a second: the picture so far, as a JPEG."""
    change: Image.Image | None = None
    """Beside a preview of an attack: the perturbation so far, as a JPEG, amplified to the full range around a mid-
    grey (level 128) that means no change."""


@dataclass(frozen=True)
class LayerDetail:
    """A layer of the network and the size of its feature maps."""

    name: str
    """Name of the layer, by which requests refer to it."""
    kind: str
    """Name of the layer's class in PyTorch."""
    channels: int
    """Number of channels of its feature maps."""
    height: int
    """Height of its feature maps in pixels."""
    width: int
    """Width of its feature maps in pixels."""
    decides: bool
    """Whether the class scores depend on the content of its feature maps."""


@dataclass(frozen=True)
class Norms:
    """The size of the perturbation, over all pixels and channels; pixel values are from 0 to 1."""

    linf: float
    """Linf norm: the largest change of any value, from 0 to 1."""
    l2: float
    """L2 norm: the square root of the sum of all squared changes."""
    l1: float
    """L1 norm: the sum of all absolute changes."""
    l0: int
    """Number of pixels that changed in at least one channel."""

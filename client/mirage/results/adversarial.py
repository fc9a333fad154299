"""The result of changing a picture so that the model sees another class."""

from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO

from PIL import Image, ImageOps, UnidentifiedImageError

from mirage.results import html
from mirage.results.pictures import WithPictures
from mirage.results.shared import Norms, Passes, Prediction, TargetClass


@dataclass(frozen=True)
class Change:
    """The probability of one class before and after the attack."""

    before: float
    """Probability of the class on the uploaded picture, from 0 to 1."""
    after: float
    """Probability of the class on the returned picture, from 0 to 1."""


@dataclass(frozen=True)
class Probabilities:
    """How the attack changed the probabilities of the original class and the target class."""

    original: Change
    """Probabilities of the model's top class on the uploaded picture."""
    target: Change | None
    """Probabilities of the target class; None if the attack had no target."""


@dataclass(frozen=True)
class Perception:
    """How visible the perturbation is to a person."""

    ssim: float
    """Structural similarity (SSIM) to the uploaded picture; 1 for an identical picture."""
    ciede2000_mean: float
    """Mean colour difference (CIEDE2000) over all pixels; a difference of 1 is just noticeable."""
    ciede2000_p95: float
    """95th percentile of the colour difference (CIEDE2000) over all pixels."""
    mean_levels: float
    """Mean absolute change of a value, in 8-bit levels from 0 to 255."""
    unchanged: float
    """Share of the 8-bit values, three per pixel, that are the same as in the uploaded picture, from 0 to 1."""


@dataclass(frozen=True)
class TransferVerdict:
    """What another served model that has the same classes predicts for the uploaded and the returned picture."""

    model: str
    """Name of the other model."""
    original: Prediction
    """Its top class on the uploaded picture; of a model of several labels per picture, the label that the attack is
    about: the target, or without one the original label."""
    adversarial: Prediction
    """The same of the returned picture."""
    fooled: bool
    """Whether the attack succeeds against this model too. With a target: its top class becomes the target. Without
    one: its top class was the original class and is another now. A model of several labels is fooled if it finds the
    target only in the returned picture, or the original label only in the uploaded one."""


@dataclass(frozen=True)
class PatchResult(WithPictures):
    """The printable square of the patch attack."""

    image: Image.Image
    """The square as a PNG."""
    success_rate: float | None
    """Share of random positions, sizes and brightnesses at which the square fools the model, from 0 to 1; None if the
    deadline passed before it was measured."""


@dataclass(frozen=True)
class AdversarialResult(WithPictures):
    """A picture changed so that the model sees another class, and how. Every figure is of the returned 8-bit file."""

    model: str
    """Name of the attacked model."""
    version: str
    """Version of the model that answered, as `Mirage.models` lists it."""
    attack: str
    """Name of the attack."""
    norm: str
    """The norm that measures or bounds the perturbation: linf, l2, l1 or l0."""
    goal: str
    """What the attack had to reach, in words. A model of several labels per picture is attacked about one of them,
    and the predictions below are of this label."""
    success: bool
    """Whether the model is fooled as the request asks, by `confidence` and after everything in `survive`: with a
    target its top class is the target, without one it is not the original class. A model of several labels per
    picture finds the target, or without one no longer finds the label that was most probable."""
    original: Prediction
    """The model's top class on the uploaded picture. Of a model of several labels per picture it is the label that
    the attack is about, with its probability before the attack."""
    adversarial: Prediction
    """The model's top class on the returned picture. Of a model of several labels per picture it is the same label as
    in `original`, with its probability after the attack."""
    target: TargetClass | None
    """The target class; None if the request named none."""
    probabilities: Probabilities
    """Probabilities of the two classes before and after the attack."""
    norms: Norms
    """The size of the perturbation in every norm."""
    perception: Perception
    """How visible the perturbation is to a person."""
    transfer: tuple[TransferVerdict, ...]
    """Whether the other served models that have these classes are fooled as well; a model that failed or did not
    answer in time is left out."""
    patch: PatchResult | None
    """The printable square; None for all other attacks."""
    image: Image.Image
    """The returned picture as a PNG."""
    perturbation: Image.Image
    """The perturbation as a PNG: grey where nothing changed, amplified to the full range."""
    heat_map: Image.Image
    """The absolute change of each pixel as a PNG, from black (none) to yellow (largest)."""
    options: Mapping[str, bool | int | float | str | None]
    """Every option of the attack with its value. `steps` is None where the attack `auto` chose its numbers of steps
    by `effort`."""
    survive: tuple[str, ...]
    """What the success was verified on: the file itself (png or jpeg:QUALITY), then every conversion that the request
    asked to survive."""
    passes: Passes
    """Numbers of pictures that the attack sent through the network."""
    stopped: bool
    """Whether the deadline passed: this is then the best result until then."""
    seconds: float
    """Seconds that the attack took, including the time in the queue."""

    @property
    def before(self) -> Image.Image | None:
        """The picture that was sent, turned as its EXIF data say; None if Pillow cannot read its format (HEIC)."""
        try:
            return ImageOps.exif_transpose(Image.open(BytesIO(self.files["uploaded"])))
        except (UnidentifiedImageError, Image.DecompressionBombError, OSError, ValueError, SyntaxError):
            return None

    def _repr_html_(self) -> str:
        return html.adversarial(self)

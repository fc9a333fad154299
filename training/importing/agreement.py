"""Compares Mirage's preprocessing of an imported model with that of the library that the model comes from."""

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

import torch
from jaxtyping import Float, UInt8
from PIL import Image
from torch import Tensor

from models.classifier import Classifier
from models.preprocessing import input_matrices, preprocess, to_float
from models.spec import Spec
from training.importing.model import BadSource, Preprocessing, SourceModel

PIXELS_AGREE = 1.5
"""Largest difference of a value of the network's input, in levels of 255. Other libraries round the resized picture to
whole levels, after each of two passes, and Mirage does not.

Bicubic and Lanczos interpolation overshoot at sharp edges, and other libraries also cut off what is darker than black
or brighter than white after each pass. Mirage does it after both, which is 5 levels beside the highlights of a photo.
So the difference counts that is left if Mirage, too, cuts off after each pass.
"""
LOGITS_AGREE = 0.05
"""Largest difference of a logit, divided by 1 + the largest logit, that is not worth a remark. The network is the same
with either preprocessing, so larger ones are of networks that react to differences of one level.
"""


@dataclass(frozen=True)
class Agreement:
    """How far Mirage and the source library agree on `photos` pictures.

    `levels` is the largest difference of a value of the network's input in levels of 255, `mean_levels` the mean one,
    and `levels_cut` the largest one if Mirage, too, cuts off values below 0 and above 255 after each pass of resizing.
    `logits` is the largest difference of a logit, divided by 1 + the largest logit. `same_top` counts the pictures with
    the same most probable class.
    """

    photos: int
    levels: float
    levels_cut: float
    mean_levels: float
    logits: float
    same_top: int

    @property
    def holds(self) -> bool:
        """Whether the differences of the input are those of rounding."""
        return self.levels_cut <= PIXELS_AGREE

    @property
    def is_steady(self) -> bool:
        """Whether they change the network's answers little."""
        return self.same_top == self.photos and self.logits <= LOGITS_AGREE

    def to_json(self) -> dict[str, Any]:
        """The figures, and the tolerances with which they are compared."""
        return {**asdict(self), "tolerance": {"levels": PIXELS_AGREE, "logits": LOGITS_AGREE}}

    @property
    def text(self) -> str:
        """The figures as a sentence."""
        return (
            f"the most probable class is the same on {self.same_top} of {self.photos} pictures; the values of the "
            f"input differ by {self.levels:.2f} levels of 255 at most ({self.mean_levels:.3f} on average"
            f"{cut_text(self.levels, self.levels_cut)}), and the logits by {self.logits:.2g} of their size"
        )


def cut_text(levels: float, levels_cut: float) -> str:
    """How large the difference would be with the library's way of cutting off, where that makes a difference."""
    if levels - levels_cut < 0.1:
        return ""
    return f"; {levels_cut:.2f} at most where values beyond black and white are cut off after each pass, as it does"


def unsteady_text(agreement: Agreement) -> str:
    """What it means that the input differs by rounding alone, and the network's answers differ more."""
    return (
        "this network reacts to differences of a level, which the rounding of pixels makes: that alone changes its "
        f"logits by up to {agreement.logits:.0%} of their size, and the most probable class of "
        f"{agreement.photos - agreement.same_top} of {agreement.photos} pictures"
    )


def compare(
    model: SourceModel, classifier: Classifier, preprocessing: Preprocessing, photos: Iterable[UInt8[Tensor, "3 _ _"]]
) -> Agreement:
    """Run photos through the network with either preprocessing; the network is the same.

    Raises BadSource where the library's input has another shape than the spec says.
    """
    rows = list(_differences(model, classifier, preprocessing, photos))
    return Agreement(
        photos=len(rows),
        levels=max(row.levels for row in rows),
        levels_cut=max(row.levels_cut for row in rows),
        mean_levels=sum(row.mean_levels for row in rows) / len(rows),
        logits=max(row.logits for row in rows),
        same_top=sum(row.same for row in rows),
    )


@dataclass(frozen=True)
class _Difference:
    levels: float
    levels_cut: float
    mean_levels: float
    logits: float
    same: bool


def _differences(
    model: SourceModel, classifier: Classifier, preprocessing: Preprocessing, photos: Iterable[Tensor]
) -> Iterator[_Difference]:
    spec = model.spec
    std = torch.tensor(spec.std, device=classifier.device).reshape(1, -1, 1, 1)
    for photo in photos:
        theirs = preprocessing(Image.fromarray(photo.permute(1, 2, 0).numpy())).to(classifier.device)
        pixels = preprocess(to_float(photo)[None].to(classifier.device), spec)
        ours = classifier.network[0](pixels)
        if ours.shape != theirs.shape:
            sizes = [" x ".join(map(str, shape[1:])) for shape in (theirs.shape, ours.shape)]
            raise BadSource(
                f"the source library makes an input of {sizes[0]} values, and by its description it has {sizes[1]}: "
                "give --input-size, --resize and --resize-mode as the model was trained"
            )
        with torch.no_grad():
            logits, expected = classifier.logits(pixels), _logits(classifier, theirs)
        levels = 255 * ((ours - theirs) * std).abs()
        cut = classifier.network[0](_cut_after_each_pass(photo, spec).to(classifier.device))
        yield _Difference(
            levels.max().item(),
            torch.minimum(levels, 255 * ((cut - theirs) * std).abs()).max().item(),
            levels.mean().item(),
            ((logits - expected).abs().max() / (1 + expected.abs().max())).item(),
            bool(logits.argmax() == expected.argmax()),
        )


def _cut_after_each_pass(photo: UInt8[Tensor, "3 _ _"], spec: Spec) -> Float[Tensor, "1 3 _ _"]:
    """`preprocess` with values outside [0, 1] cut off after the first pass, which is along the rows, as well."""
    rows, columns, padding = input_matrices((photo.shape[1], photo.shape[2]), spec)
    across = (to_float(photo) @ columns.T).clamp(0, 1)
    resized = rows @ across
    return (resized if padding is None else resized + padding).clamp(0, 1)[None]


def _logits(classifier: Classifier, inputs: Float[Tensor, "1 c i j"]) -> Float[Tensor, "1 k"]:
    """The logits of an input that is normalised already."""
    outputs: Tensor = inputs
    for layer in list(classifier.network)[1:]:
        outputs = layer(outputs)
    return outputs / classifier.spec.temperature

"""Compares Mirage's preprocessing of an imported model with that of the library that the model comes from."""

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

import torch
from jaxtyping import Float, UInt8
from PIL import Image
from torch import Tensor

from models.classifier import Classifier
from models.preprocessing import preprocess, to_float
from training.importing.model import Preprocessing, SourceModel

PIXELS_AGREE = 1.5
"""Largest difference of a value of the network's input, in levels of 255. Other libraries round the resized picture to
whole levels, after each of two passes, and Mirage does not."""
LOGITS_AGREE = 0.05
"""Largest difference of a logit, divided by 1 + the largest logit."""
RIVALS = 0.02
"""Lead of the first class over the second, divided by 1 + the largest logit, below which either may come first."""


@dataclass(frozen=True)
class Agreement:
    """How far Mirage and the source library agree on `photos` pictures.

    `levels` is the largest difference of a value of the network's input in levels of 255, `mean_levels` the mean one.
    `logits` is the largest difference of a logit, divided by 1 + the largest logit. `same_top` counts the pictures with
    the same most probable class; of those with another one, `close` were undecided between the two.
    """

    photos: int
    levels: float
    mean_levels: float
    logits: float
    same_top: int
    close: int

    @property
    def holds(self) -> bool:
        """Whether the differences are those of rounding."""
        return self.levels <= PIXELS_AGREE and self.logits <= LOGITS_AGREE and self.same_top + self.close == self.photos

    def to_json(self) -> dict[str, Any]:
        """The figures, and the tolerances with which they are compared."""
        return {**asdict(self), "tolerance": {"levels": PIXELS_AGREE, "logits": LOGITS_AGREE}}

    @property
    def text(self) -> str:
        """The figures as a sentence."""
        undecided = f" ({self.close} more are undecided between two)" if self.close else ""
        return (
            f"the most probable class is the same on {self.same_top} of {self.photos} pictures{undecided}; the values "
            f"of the input differ by {self.levels:.2f} levels of 255 at most ({self.mean_levels:.3f} on average), and "
            f"the logits by {self.logits:.1e} of their size"
        )


def compare(
    model: SourceModel, classifier: Classifier, preprocessing: Preprocessing, photos: Iterable[UInt8[Tensor, "3 _ _"]]
) -> Agreement:
    """Run photos through the network with either preprocessing; the network is the same."""
    rows = list(_differences(model, classifier, preprocessing, photos))
    return Agreement(
        photos=len(rows),
        levels=max(row.levels for row in rows),
        mean_levels=sum(row.mean_levels for row in rows) / len(rows),
        logits=max(row.logits for row in rows),
        same_top=sum(row.same for row in rows),
        close=sum(row.close and not row.same for row in rows),
    )


@dataclass(frozen=True)
class _Difference:
    levels: float
    mean_levels: float
    logits: float
    same: bool
    close: bool


def _differences(
    model: SourceModel, classifier: Classifier, preprocessing: Preprocessing, photos: Iterable[Tensor]
) -> Iterator[_Difference]:
    std = torch.tensor(model.spec.std).reshape(1, -1, 1, 1)
    for photo in photos:
        theirs = preprocessing(Image.fromarray(photo.permute(1, 2, 0).numpy())).to(classifier.device)
        pixels = preprocess(to_float(photo)[None].to(classifier.device), model.spec)
        with torch.no_grad():
            ours = classifier.network[0](pixels)
            logits, expected = classifier.logits(pixels), _logits(classifier, theirs)
        if ours.shape != theirs.shape:
            size = " x ".join(map(str, theirs.shape[2:]))
            raise ValueError(f"the source library gives an input of {size}, and the spec {model.spec.size}")
        levels = 255 * ((ours - theirs) * std.to(ours)).abs()
        scale = 1 + expected.abs().max()
        best = expected[0].topk(2).values
        yield _Difference(
            levels.max().item(),
            levels.mean().item(),
            ((logits - expected).abs().max() / scale).item(),
            bool(logits.argmax() == expected.argmax()),
            bool((best[0] - best[1]) / scale < RIVALS),
        )


def _logits(classifier: Classifier, inputs: Float[Tensor, "1 c i j"]) -> Float[Tensor, "1 k"]:
    """The logits of an input that is normalised already."""
    outputs: Tensor = inputs
    for layer in list(classifier.network)[1:]:
        outputs = layer(outputs)
    return outputs / classifier.spec.temperature

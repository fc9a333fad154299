"""Looks for mistakes in how a model is fed, on labelled photos: other preprocessing, or classes in another order.

Most models that seem bad are good models with wrong preprocessing. Each likely mistake is undone, one at a time and
then on top of the best one, and the probabilities of the true classes are compared photo by photo.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from jaxtyping import Bool, Float, Int64, UInt8
from torch import Tensor
from torch.nn import functional

from models.classifier import Classifier
from models.preprocessing import preprocess, to_float
from models.spec import BadSpec, Spec
from training.importing.class_order import Reordering, find_reordering

IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
NORMALISATIONS: Mapping[str, tuple[Sequence[float], Sequence[float]]] = {
    "ImageNet's mean and standard deviation": IMAGENET,
    "values from -1 to 1": ((0.5,) * 3, (0.5,) * 3),
    "values from 0 to 1": ((0.0,) * 3, (1.0,) * 3),
    "values from 0 to 255": ((0.0,) * 3, (1 / 255,) * 3),
    "values from 0 to 255 minus ImageNet's mean": (IMAGENET[0], (1 / 255,) * 3),
    "CLIP's mean and standard deviation": (
        (0.48145466, 0.4578275, 0.40821073),
        (0.26862954, 0.26130258, 0.27577711),
    ),
}
"""Mean and standard deviation of each common normalisation."""
CROPS = (256 / 224, 232 / 224, 1.0)
"""Common sizes of the resized picture, divided by the input's."""
BATCH = 25
ROUNDS = 3
"""Largest number of mistakes that are undone one after the other."""
SURE = 2.3
"""Mean gain in log-probability, in standard errors, from which on it is no chance (one-sided p of 0.01).

Nearly all of the alternatives to right preprocessing do worse, so that their number hardly counts: on 100 photos the
best one of MobileNetV2's gains 0.6 standard errors, and a squashed photo undone gains 2.5 (docs/importing.md).
"""
WORTH = 0.05
"""Smallest mean gain in log-probability (nats) that is worth a remark: neighbours of right preprocessing gain 0.01."""

Photos = Sequence[tuple[UInt8[Tensor, "3 _ _"], int]]
Track = Callable[[Iterator["Trial"], int], Iterator["Trial"]]


@dataclass(frozen=True)
class Trial:
    """A spec that was tried, how it differs in words and as options of the command, and how well it did.

    `gain` is the mean rise of the log-probability of the true class over the spec before it, and `sigmas` the same in
    standard errors.
    """

    name: str
    options: str
    spec: Spec
    scores: "Scores"
    gain: float = 0.0
    sigmas: float = 0.0

    @property
    def is_better(self) -> bool:
        """Whether it is so much better that the spec before it is a mistake."""
        return self.gain > WORTH and self.sigmas > SURE


@dataclass(frozen=True)
class Scores:
    """The log-probability of the true class of each photo, and whether it is the most probable one."""

    logits: Float[Tensor, "n k"]
    log_probability: Float[Tensor, " n"]
    right: Bool[Tensor, " n"]

    @property
    def accuracy(self) -> float:
        """Share of the photos that are classified correctly."""
        return self.right.double().mean().item()


@dataclass(frozen=True)
class Diagnosis:
    """How the model does as it is (`asked`), the mistakes that were found, best first, and other orders of classes.

    Each of the `better` trials is on top of those before it.
    """

    asked: Scores
    labels: Int64[Tensor, " n"]
    better: tuple[Trial, ...]
    reordering: Reordering | None

    @property
    def is_healthy(self) -> bool:
        """Whether no mistake was found."""
        return not self.better and self.reordering is None


def diagnose(classifier: Classifier, photos: Photos, *, track: Track = lambda trials, total: trials) -> Diagnosis:
    """Try the likely mistakes on labelled photos."""
    labels = torch.tensor([label for _, label in photos])
    asked = _scores(classifier, classifier.spec, photos, labels)
    spec, before, better = classifier.spec, asked, []
    for _ in range(ROUNDS):
        choices = list(alternatives(spec))

        def trials(choices: Sequence[tuple[str, str, Spec]] = choices, before: Scores = before) -> Iterator[Trial]:
            for name, options, changed in choices:
                yield _compared(name, options, changed, _scores(classifier, changed, photos, labels), before)

        best = max(track(trials(), len(choices)), key=lambda trial: trial.gain, default=None)
        if best is None or not best.is_better:
            break
        better.append(best)
        spec, before = best.spec, best.scores
    return Diagnosis(asked, labels, tuple(better), find_reordering(before.logits, labels, spec))


def alternatives(spec: Spec) -> Iterator[tuple[str, str, Spec]]:
    """Other specs that are likely to be right, each with what it changes in words and as options of the command."""
    for name, options, fields in _alternatives(spec):
        try:
            changed = replace(spec, **fields)
        except BadSpec:  # a resized picture above the largest size
            continue
        if changed != spec:
            yield name, options, changed


def _alternatives(spec: Spec) -> Iterator[tuple[str, str, dict[str, Any]]]:
    if spec.channels == 3:
        for name, (mean, std) in NORMALISATIONS.items():
            options = f"--mean {_numbers(mean)} --std {_numbers(std)}"
            yield f"normalisation to {name}", options, {"mean": tuple(mean), "std": tuple(std)}
        swapped = "RGB" if spec.channel_names == "BGR" else "BGR"
        # Mean and standard deviation stay with the channels of the network.
        yield f"channels in the order {swapped}", f"--colours {swapped}", {"colours": swapped}
    height, width = spec.size
    for ratio in CROPS:
        resize = (round(height * ratio), round(width * ratio))
        size, text = _size(resize)
        words = f"resizing to {text} pixels" + (", of which the centre is cropped" if ratio > 1 else "")
        fields = {"resize": size}
        yield f"{words}, in proportion", f"--resize {text} --resize-mode crop", {**fields, "resize_mode": "crop"}
        yield f"{words}, squashed", f"--resize {text} --resize-mode squash", {**fields, "resize_mode": "squash"}
    size, text = _size((height, width))
    yield f"padding to {text} pixels", f"--resize {text} --resize-mode pad", {"resize": size, "resize_mode": "pad"}
    other = "bilinear" if spec.interpolation == "bicubic" else "bicubic"
    yield f"{other} interpolation", f"--interpolation {other}", {"interpolation": other}
    switch = "--no-antialias" if spec.antialias else "--antialias"
    yield f"resizing with{'out' if spec.antialias else ''} antialiasing", switch, {"antialias": not spec.antialias}


def _size(size: tuple[int, int]) -> tuple[int | tuple[int, int], str]:
    return (size[0], str(size[0])) if size[0] == size[1] else (size, f"{size[0]}x{size[1]}")


def _numbers(values: Sequence[float]) -> str:
    texts = [f"{value:.6g}" for value in values]
    return texts[0] if len(set(texts)) == 1 else ",".join(texts)


def _scores(classifier: Classifier, spec: Spec, photos: Photos, labels: Int64[Tensor, " n"]) -> Scores:
    """The network's answers about all photos, with the preprocessing of this spec."""
    tried = Classifier(classifier.network[1], spec, device=classifier.device)
    rows = []
    with torch.no_grad():
        for begin in range(0, len(photos), BATCH):
            inputs = [preprocess(to_float(photo)[None], spec) for photo, _ in photos[begin : begin + BATCH]]
            rows.append(tried.logits(torch.cat(inputs)).cpu())
    logits = torch.cat(rows)
    return Scores(logits, log_probabilities(logits, labels, spec), logits.argmax(dim=1) == labels)


def log_probabilities(logits: Float[Tensor, "n k"], labels: Int64[Tensor, " n"], spec: Spec) -> Float[Tensor, " n"]:
    """The log-probability of each photo's label; for several labels per picture, that it alone is present."""
    if not spec.multi_label:
        return -functional.cross_entropy(logits, labels, reduction="none")
    present = functional.one_hot(labels, logits.shape[1]).to(logits)
    return -functional.binary_cross_entropy_with_logits(logits, present, reduction="none").sum(dim=1)


def _compared(name: str, options: str, spec: Spec, scores: Scores, before: Scores) -> Trial:
    gains = (scores.log_probability - before.log_probability).double()
    error = gains.std().item() / math.sqrt(len(gains)) if len(gains) > 1 else math.inf
    gain = gains.mean().item()
    sigmas = gain / error if error else math.copysign(math.inf, gain) if gain else 0.0
    worse = scores.accuracy < before.accuracy
    return Trial(name, options, spec, scores, -math.inf if worse or math.isnan(gain) else gain, sigmas)

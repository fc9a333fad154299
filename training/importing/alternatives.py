"""Other preprocessing that is likely to be right where a model does badly: one usual mistake undone in each."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from models.spec import BadSpec, Spec

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
"""Mean and standard deviation of red, green and blue in each common normalisation."""
RESIZES = (
    (256 / 224, "crop"),
    (1.0, "squash"),
    (232 / 224, "crop"),
    (1.0, "crop"),
    (256 / 224, "squash"),
    (1.0, "pad"),
)
"""Size of the resized picture, divided by the input's, and the mode, the most usual first."""
RESIZE_WORDS = {"crop": "in proportion", "squash": "without regard to proportions", "pad": "with padding"}


@dataclass(frozen=True)
class Alternative:
    """A spec, and how it differs from the one that was asked for: in words, and as options of the command `import`.

    `options` has the value of each option, or "" for one that has none.
    """

    name: str
    options: Mapping[str, str]
    spec: Spec


def alternatives(spec: Spec) -> list[Alternative]:
    """Every spec that undoes one usual mistake. Those with the same resize and crop follow each other."""
    found = []
    for name, options, fields in (*_normalisations(spec), *_colours(spec), *_resizes(spec), *_interpolations(spec)):
        try:
            changed = replace(spec, **fields)
        except BadSpec:  # a resized picture above the largest size
            continue
        if changed != spec:
            found.append(Alternative(name, options, changed))
    return found


Changes = Iterator[tuple[str, dict[str, str], dict[str, Any]]]
"""Words, options of the command, and the changed fields of the spec, the most usual first."""


def _normalisations(spec: Spec) -> Changes:
    for name, values in NORMALISATIONS.items():
        mean, std = (_of_channels(new, own, spec) for new, own in zip(values, (spec.mean, spec.std), strict=True))
        yield f"normalisation to {name}", _mean_and_std(mean, std), {"mean": mean, "std": std}


def _of_channels(values: Sequence[float], own: Sequence[float], spec: Spec) -> tuple[float, ...]:
    """A value for each channel of the network from those of red, green and blue; opacity keeps its own."""
    if spec.channel_names.startswith("L"):
        return (sum(values) / 3, *own[1:])
    return (*(reversed(values) if spec.channel_names.startswith("BGR") else values), *own[3:])


def _colours(spec: Spec) -> Changes:
    if spec.channels < 3:
        return
    swapped, opacity = spec.channel_names[2::-1], spec.channel_names[3:]
    # Mean and standard deviation stay with the channels of the network.
    yield f"channels in the order {swapped}", {"--colours": swapped + opacity}, {"colours": swapped + opacity}
    mean, std = ((*values[2::-1], *values[3:]) for values in (spec.mean, spec.std))
    yield "mean and standard deviation in the reverse order", _mean_and_std(mean, std), {"mean": mean, "std": std}


def _resizes(spec: Spec) -> Changes:
    for ratio, mode in RESIZES:
        height, width = (round(side * ratio) for side in spec.size)
        size, text = (height, str(height)) if height == width else ((height, width), f"{height}x{width}")
        crop = ", of which the centre is cropped" if ratio > 1 else ""
        name = f"resizing {RESIZE_WORDS[mode]} to {text} pixels{crop}"
        yield name, {"--resize": text, "--resize-mode": mode}, {"resize": size, "resize_mode": mode}


def _interpolations(spec: Spec) -> Changes:
    other = "bilinear" if spec.interpolation == "bicubic" else "bicubic"
    yield f"{other} interpolation", {"--interpolation": other}, {"interpolation": other}
    switch = "--no-antialias" if spec.antialias else "--antialias"
    yield f"{'no ' if spec.antialias else ''}antialiasing", {switch: ""}, {"antialias": not spec.antialias}


def _mean_and_std(mean: Sequence[float], std: Sequence[float]) -> dict[str, str]:
    return {"--mean": _numbers(mean), "--std": _numbers(std)}


def _numbers(values: Sequence[float]) -> str:
    texts = [f"{value:.6g}" for value in values]
    return texts[0] if len(set(texts)) == 1 else ",".join(texts)

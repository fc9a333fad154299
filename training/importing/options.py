"""What `import` is asked for: each option once, with the text that --help prints."""

import math
import os
import re
import shlex
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Annotated, Any, Literal

import torch

from models.printable import printable
from models.spec import COLOURS, RESIZE_MODES, Spec
from training.cache import Cache
from training.command_line import CommandLine
from training.data.options import DataOptions
from training.importing.model import BadSource
from training.importing.sources.channels import with_channels
from training.options import Device, Renamed, Workers

LARGEST_NORMALISATION = 5
"""Largest mean and standard deviation that are taken to be those of pixels from 0 to 1."""


@dataclass(frozen=True, kw_only=True)
class SpecOptions:
    """How pictures become the input of the network, and what its outputs are, where the source does not say it."""

    input_size: Annotated[
        str | None,
        "Size of the network's input in pixels: the side of a square, such as 224, or HEIGHTxWIDTH.",
    ] = None
    resize: Annotated[
        str | None,
        "Size in pixels to which a picture is resized before the centre is cropped: one number, or HEIGHTxWIDTH.",
    ] = None
    resize_mode: Annotated[
        str | None,
        f"How a picture is resized: {', '.join(RESIZE_MODES)}. crop keeps its proportions, so that the shorter side "
        "has --resize pixels; squash makes both sides that long; pad keeps the proportions, makes the longer side that "
        "long, and fills up the rest with --padding.",
    ] = None
    interpolation: Annotated[
        str | None, "Interpolation: nearest, box, bilinear, hamming, bicubic or lanczos, as Pillow calls them."
    ] = None
    antialias: Annotated[
        bool | None,
        "Average over all pixels of a picture that is reduced, as Pillow, torchvision and timm do. --no-antialias "
        "reads only the pixels next to each position, as OpenCV and TensorFlow do by default.",
        CommandLine(name="--antialias/--no-antialias"),
    ] = None
    mean: Annotated[
        str | None,
        "Mean of each channel, for pixels from 0 to 1, with commas between them; one number stands for all channels. "
        "For input from -1 to 1 give --mean 0.5 --std 0.5; for input from 0 to 255 give --mean 0 --std 0.00392157.",
    ] = None
    std: Annotated[str | None, "Standard deviation of each channel, like --mean."] = None
    colours: Annotated[
        str | None,
        f"Channels of the input in their order: {', '.join(COLOURS)}. L is grey, and A is opacity, which is 1.",
    ] = None
    padding: Annotated[
        str | None, "Colour with which --resize-mode pad fills up: red, green and blue from 0 to 1, with commas."
    ] = None
    outputs: Annotated[
        Literal["logits", "probabilities"] | None,
        "What the network returns: logits (scores before softmax or sigmoid), or probabilities.",
    ] = None
    multi_label: Annotated[
        bool, "Each class is a label of its own, and a picture can have several: probabilities are sigmoids."
    ] = False
    background: Annotated[
        bool, "The first output of the network is a background class that --classes does not name; it is left out."
    ] = False

    @property
    def is_empty(self) -> bool:
        """Whether nothing about the preprocessing was given."""
        of_outputs = ("outputs", "multi_label", "background")
        of_pictures = [option.name for option in fields(self) if option.name not in of_outputs]
        return all(getattr(self, name) is None for name in of_pictures)

    def apply(self, spec: Spec) -> Spec:
        """The spec with what was given in place of what the source says; raises BadSpec, BadSource."""
        given: dict[str, Any] = {}
        for name in ("resize_mode", "interpolation", "antialias", "outputs"):
            given |= {name: getattr(self, name)} if getattr(self, name) is not None else {}
        for name in ("input_size", "resize"):
            given |= {name: parse_size(name, getattr(self, name))} if getattr(self, name) else {}
        if "input_size" in given and "resize" not in given:
            given["resize"] = _in_proportion(spec, given["input_size"])
        if self.colours is not None:
            if self.colours not in COLOURS:
                raise BadSource(f"--colours is one of {', '.join(COLOURS)}, not {self.colours[:100]!r}")
            spec = replace(with_channels(spec, len(self.colours)), colours=self.colours)
        for name in ("mean", "std"):
            values = getattr(self, name)
            given |= {name: _normalisation(name, values, spec.channels)} if values else {}
        if self.padding:
            given["padding"] = parse_numbers("padding", self.padding, 3)
        given |= {"multi_label": True} if self.multi_label else {}
        given |= {"background": True} if self.background else {}
        return replace(spec, **given)

    @property
    def says_all(self) -> bool:
        """Whether the main values of the preprocessing are given: normalisation, and size."""
        has_size = self.input_size is not None or self.resize is not None
        return self.mean is not None and self.std is not None and has_size

    def words(self) -> list[str]:
        """Words of a command that give these values."""
        given = {option.name.replace("_", "-"): getattr(self, option.name) for option in fields(self)}
        words = []
        for name, value in given.items():
            if isinstance(value, bool):
                words += [f"--{name}"] if value else ["--no-antialias"] if name == "antialias" else []
            elif value is not None:
                words += [f"--{name}", value]
        return words


def _normalisation(name: str, text: str, count: int) -> tuple[float, ...]:
    """Means or standard deviations, one for each channel; raises BadSource, also for those of pixels up to 255."""
    numbers = parse_numbers(name, text, count)
    if large := [number for number in numbers if LARGEST_NORMALISATION < abs(number) < math.inf]:
        raise BadSource(
            f"--{name} is for pixels from 0 to 1, and {large[0]:g} looks like one for pixels from 0 to 255: divide "
            "--mean and --std by 255"
        )
    return numbers


def _in_proportion(spec: Spec, size: int | tuple[int, int]) -> int | tuple[int, int]:
    new = (size, size) if isinstance(size, int) else size
    height, width = (
        round(resize * wanted / side) for resize, wanted, side in zip(spec.resize_size, new, spec.size, strict=True)
    )
    return height if height == width else (height, width)


def parse_size(name: str, text: str) -> int | tuple[int, int]:
    """A side, or height and width; raises BadSource."""
    parts = text.lower().replace("×", "x").split("x")
    if len(parts) > 2 or not all(re.fullmatch(r"\s*[0-9]{1,9}\s*", part) for part in parts):
        raise BadSource(f"--{name.replace('_', '-')} is a number of pixels, or HEIGHTxWIDTH, not {text[:100]!r}")
    sides = [int(part) for part in parts]
    return sides[0] if len(set(sides)) == 1 else (sides[0], sides[1])


def parse_numbers(name: str, text: str, count: int) -> tuple[float, ...]:
    """`count` numbers, of which one stands for all; raises BadSource."""
    try:
        numbers = tuple(float(part) for part in text.split(","))
    except ValueError as error:
        raise BadSource(f"--{name} takes numbers with commas between them, not {text[:100]!r}") from error
    numbers = numbers * count if len(numbers) == 1 else numbers
    if len(numbers) != count:
        raise BadSource(f"--{name} takes one number, or one for each of the {count} channels, not {len(numbers)}")
    return numbers


@dataclass(frozen=True, kw_only=True)
class ImportOptions:
    """Which model is imported, where from, as what, and on which photos it is checked."""

    source: Annotated[
        str,
        "The model: a file of weights (.safetensors, .pth, .pt, .bin, .ckpt), a program of torch.export (.pt2), the "
        "folder of a Hugging Face model, or, where there is internet, timm/NAME or the name of a model on the Hugging "
        "Face Hub.",
        CommandLine(positional=True),
    ]
    output: Annotated[
        Path, "The checkpoint to write, a *.safetensors file; its model card is written beside it with the ending .md."
    ]
    architecture: Annotated[
        str | None,
        "Architecture of the weights in a file: a name of torchvision (resnet50), timm/NAME, or the name of a network "
        "that you have registered. Networks of torchvision are recognised without it.",
    ] = None
    classes: Annotated[
        str | None,
        "Names of the classes in the order of the outputs: a text file with one per line, a JSON file, or names with "
        "commas between them. By default those in the source.",
    ] = None
    licence: Annotated[str | None, "Licence of the weights, for the model card."] = None
    check: Annotated[
        Path | None,
        "Labelled photos, in the layouts that fit reads: the accuracy on them is measured before anything is written, "
        "and likely mistakes are looked for, such as another normalisation, swapped colours, another resize or crop, "
        "or classes in another order.",
    ] = None
    photos: Annotated[
        int,
        "Largest number of photos of --check, taken evenly from all. More photos find smaller mistakes, and take "
        "proportionally more time.",
        CommandLine(least=20),
    ] = 200
    anyway: Annotated[bool, "Write the checkpoint also if --check finds a mistake."] = False
    overwrite: Annotated[bool, "Replace a checkpoint and a model card of these names."] = False
    renamed: Renamed = field(default_factory=dict)
    workers: Workers = 0
    device: Device = field(default_factory=lambda: torch.device("cpu"))
    cache: Cache = field(default_factory=Cache)
    spec: SpecOptions = field(default_factory=SpecOptions)
    data_options: DataOptions = field(default_factory=DataOptions)

    def command(self) -> str:
        """The command that imports the same model, with names instead of paths."""
        words = ["python", "-m", "training", "import", _name(self.source), "--output", self.output.name]
        words += ["--architecture", self.architecture] if self.architecture is not None else []
        words += ["--classes", _name(self.classes)] if self.classes is not None else []
        words += ["--licence", self.licence] if self.licence is not None else []
        if self.check is not None:
            words += ["--check", self.check.resolve().name, "--photos", str(self.photos)]
        words += ["--anyway"] if self.anyway else []
        for folder, name in self.renamed.items():
            words += ["--rename", f"{folder}={name}"]
        command = shlex.join([*words, *self.spec.words(), *self.data_options.words()])
        return printable(command)


def _name(text: str) -> str:
    """The name of the file or folder if `text` is the path of one, else the text."""
    return Path(text).resolve().name if os.path.exists(text) else text

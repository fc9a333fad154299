"""The names of the classes of an imported model: as they are given, else as its source has them, else numbers."""

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from models.architectures.timm_networks import imagenet_names
from training.control_characters import IN_A_LINE
from training.importing.model import BadSource
from training.importing.stored_names import names_in

LONGEST = 500
"""Largest number of characters of a name."""
TENSORFLOWS = 1001
"""Number of outputs of TensorFlow's networks for ImageNet, the first of which is a background class."""
ONE_OUTPUT = "the network has one output, which is taken to be that of one label, which a picture has or has not"
BINARY = "the network has one output, which is taken to be that of the second class, {!r}; the rest is {!r}"


@dataclass(frozen=True)
class Classes:
    """The names of the classes, which outputs of the network they are for (models.spec.Spec), and warnings."""

    names: tuple[str, ...]
    background: bool = False
    binary: bool = False
    warnings: tuple[str, ...] = ()

    @property
    def fields(self) -> dict[str, Any]:
        """The fields of a spec; a single class is a label that a picture has or has not."""
        return {
            "classes": self.names,
            "background": self.background,
            "binary": self.binary,
            "multi_label": len(self.names) == 1,
        }


def given_names(text: str) -> tuple[str, ...]:
    """Names from a text file with one per line, a JSON file, or a list with commas; raises BadSource."""
    file = Path(text)
    if not os.path.isfile(text):  # Path.is_file raises OSError for a list that is longer than names of files may be
        if "," not in text:
            raise BadSource(
                f"--classes takes a file or names with commas between them, and there is no file {text[:200]}; put a "
                "comma after a single name"
            )
        return _checked(text.removesuffix(",").split(","), "--classes")
    try:
        content = file.read_text(encoding="utf-8-sig")
        names = (
            names_in(json.loads(content)) if file.suffix.lower() == ".json" else tuple(content.rstrip().splitlines())
        )
    except (OSError, ValueError, RecursionError) as error:
        raise BadSource(f"{file} is no text in UTF-8, or no JSON ({error})") from error
    if names is None:
        raise BadSource(
            f"{file} has no names of classes: a JSON file is a list of names, or has a name for each index from 0 on"
        )
    return _checked(names, str(file))


def _checked(names: Sequence[str], source: str) -> tuple[str, ...]:
    """The names without control characters; raises BadSource for those that are empty or long."""
    plain = tuple(IN_A_LINE.sub(" ", name).strip() for name in names)
    if not plain or not all(plain):
        number = plain.index("") + 1 if plain else 1
        raise BadSource(f"the name of class {number} in {source} is empty: give a name for each class with --classes")
    if long := [name for name in plain if len(name) > LONGEST]:
        raise BadSource(f"{source} has a name with {len(long[0]):,} characters ({long[0][:50]}...): give --classes")
    return plain


def choose_names(
    outputs: int, *, given: Sequence[str] | None, own: Sequence[str] | None, background: bool = False
) -> Classes:
    """The names of the classes of a network with so many outputs.

    A network with one output more than there are names has a background class if the user says so (`background`), and
    if it has 1001, as TensorFlow's networks for ImageNet: a name that was forgotten would move all others. With one or
    two outputs `background` has no meaning. One output is that of the second of two classes, or of one label. Raises
    BadSource where the numbers do not fit.
    """
    background = background and outputs > 2
    single = (ONE_OUTPUT,) if outputs == 1 else ()
    without = "the file has no names of classes, so"
    for names, source in ((given, "--classes"), (own, "the file")):
        if names is None:
            continue
        if len(names) == outputs and background:
            raise BadSource(
                f"there is a name for each of the {outputs} outputs, so none is a background class: leave out "
                "--background, or give --classes without a name for the first output"
            )
        if len(names) == outputs:
            return Classes(_checked(names, source), warnings=single)
        if len(names) == 2 and outputs == 1:
            first, second = checked = _checked(names, source)
            return Classes(checked, binary=True, warnings=(BINARY.format(second, first),))
        if len(names) == outputs - 1 and (background or outputs == TENSORFLOWS):
            warning = (
                f"the network has {outputs} outputs and {source} {outputs - 1} names: the first output is taken to be "
                "a background class, and is left out"
            )
            return Classes(_checked(names, source), background=True, warnings=(warning,))
        count = "one output" if outputs == 1 else f"{outputs} outputs"
        if source == "--classes":
            short = len(names) == outputs - 1 and outputs > 2
            remedy = ", or --background if the first one is a background class" if short else ""
            raise BadSource(
                f"--classes has {len(names)} names, and the network has {count}: give one name for each{remedy}"
            )
        without = f"the file has {len(names)} names of classes, and the network {count}, so they are not used and"
    if outputs == TENSORFLOWS or (outputs == 1000 and not background):
        extra = ", the first of which, the background, is left out" if outputs == TENSORFLOWS else ""
        warning = (
            f"{without} the {outputs} outputs of the network are taken to be the classes of ImageNet-1k in their usual "
            f"order{extra}; give --classes if they are others"
        )
        return Classes(imagenet_names(), background=outputs == TENSORFLOWS, warnings=(warning,))
    others = " but the background" if background else ""
    warning = (
        f"{without} the classes{others} are called by their numbers: give --classes FILE, or names with commas between "
        "them"
    )
    names = tuple(map(str, range(outputs - background)))
    return Classes(names, background=background, warnings=(warning, *single))

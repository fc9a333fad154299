"""The names of the classes of an imported model: as they are given, else as its source has them, else numbers."""

import json
from collections.abc import Sequence
from pathlib import Path

from models.architectures.timm_networks import imagenet_names
from training.importing.model import BadSource
from training.importing.weights_file import names_in

BACKGROUND = "background"
"""What the first of TensorFlow's 1001 ImageNet classes is called."""


def given_names(text: str) -> tuple[str, ...]:
    """Names from a text file with one per line, a JSON file, or a list with commas; raises BadSource."""
    file = Path(text)
    if not file.is_file():
        if "," not in text:
            raise BadSource(f"--classes takes a file or names with commas between them, and there is no file {text}")
        return _checked(tuple(name.strip() for name in text.split(",")), text)
    try:
        content = file.read_text(encoding="utf-8-sig")
        names = names_in(json.loads(content)) if file.suffix == ".json" else tuple(content.splitlines())
    except (OSError, ValueError) as error:
        raise BadSource(f"{file} is no text in UTF-8, or no JSON ({error})") from error
    if names is None:
        raise BadSource(
            f"{file} has no names of classes: a JSON file is a list of names, or has a name for each index from 0 on"
        )
    while names and not names[-1].strip():
        names = names[:-1]
    return _checked(tuple(name.strip() for name in names), str(file))


def _checked(names: tuple[str, ...], source: str) -> tuple[str, ...]:
    if not names or not all(names):
        raise BadSource(f"{source} has an empty name of a class")
    return names


def choose_names(
    outputs: int, *, given: Sequence[str] | None, own: Sequence[str] | None
) -> tuple[tuple[str, ...], bool, tuple[str, ...]]:
    """The names of the classes, whether the first output is a background class without a name, and warnings.

    A network with one output more than there are names has a background class, as TensorFlow's networks of 1001
    outputs. Raises BadSource where the numbers do not fit.
    """
    for names, source in ((given, "--classes"), (own, "the file")):
        if names is None:
            continue
        if len(names) == outputs:
            return tuple(names), False, ()
        if len(names) == outputs - 1:
            warning = (
                f"the network has {outputs} outputs and {source} {outputs - 1} names: the first output is taken to be "
                "a background class, and is left out"
            )
            return tuple(names), True, (warning,)
        if source == "--classes":
            raise BadSource(f"--classes has {len(names)} names, and the network has {outputs} outputs")
    if outputs in (1000, 1001):
        extra = ", the first of which, the background, is left out" if outputs == 1001 else ""
        warning = (
            f"the network has {outputs} outputs and no names of classes: they are taken to be the classes of "
            f"ImageNet-1k in their usual order{extra}; give --classes if they are others"
        )
        return imagenet_names(), outputs == 1001, (warning,)
    warning = (
        "the file has no names of classes, so they are called by their numbers: give --classes FILE, or names with "
        "commas between them"
    )
    return tuple(map(str, range(outputs))), False, (warning,)

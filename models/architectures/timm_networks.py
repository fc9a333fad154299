"""timm's networks (pytorch-image-models), by the names that timm gives them, after `timm/`.

timm is an extra: `pip install mirage-vision[timm]`. It is imported when one of its networks is asked for.
"""

import difflib
import importlib.util
import math
from collections.abc import Mapping, Sequence
from types import ModuleType
from typing import Any

from torch import nn

from models.architectures.errors import BadConfiguration, UnknownArchitecture
from models.architectures.without_memory import without_memory
from models.spec import LARGEST, SMALLEST, Spec

PREFIX = "timm/"
"""Beginning of the names of timm's networks."""
RESIZE_MODES = {"center": "crop", "squash": "squash", "border": "pad"}
"""The resize mode of a spec for each of timm's crop modes."""


def timm() -> ModuleType:
    """The library; raises UnknownArchitecture, which says how to install it."""
    if importlib.util.find_spec("timm") is None:
        raise UnknownArchitecture("networks of timm need the package timm: pip install timm")
    import timm

    return timm


def name_in_timm(architecture: str) -> str:
    """The name without `timm/`; raises UnknownArchitecture if timm has no such network.

    timm also takes addresses and folders as names, which are refused here: they would be downloaded or read.
    """
    name = architecture.removeprefix(PREFIX)
    library = timm()
    if ":" in name or "/" in name or not library.is_model(name.split(".")[0]):
        stem, names = name.split(".")[0][:40], library.list_models()
        near = [known for known in names if stem and stem in known][:5] or difflib.get_close_matches(stem, names, n=5)
        similar = f"; similar names: {', '.join(near)}" if near else ""
        raise UnknownArchitecture(f"timm has no network called {name[:100]!r}{similar}")
    return name


def build(architecture: str, classes: int, *, channels: int, configuration: Mapping[str, Any]) -> nn.Module:
    """A network of timm with freshly initialised weights; its configuration may have `img_size`, the input's size.

    Raises UnknownArchitecture, BadConfiguration.
    """
    for name, value in configuration.items():
        if name != "img_size" or not _is_size(value):
            raise BadConfiguration(f"{architecture} takes no {name}={str(value)[:100]!r} in its configuration")
    options = {"in_chans": channels, **configuration}
    library, name = timm(), name_in_timm(architecture)
    try:
        network: nn.Module = library.create_model(name, pretrained=False, num_classes=classes, **options)
    except Exception as error:  # what its networks raise on a size or a number of channels that they cannot have
        reason = f"{type(error).__name__}: {error}"
        raise BadConfiguration(f"timm cannot build {architecture} with {options} ({reason})") from error
    return network


def _is_size(value: Any) -> bool:
    sides = value if isinstance(value, Sequence) and len(value) == 2 else [value]
    return all(type(side) is int and SMALLEST <= side <= LARGEST for side in sides)


def spec(
    architecture: str, classes: Sequence[str], *, network: nn.Module | None = None, side: int | None = None
) -> Spec:
    """The spec that timm states for the network's weights: sizes, interpolation, crop, mean and standard deviation.

    Without a `network` one is built for that, without memory for its weights. `side` is that of another input, whose
    picture is resized in the same proportion. Raises UnknownArchitecture.
    """
    network = network or _without_memory(architecture, len(classes))
    from timm.data.config import resolve_model_data_config

    data = resolve_model_data_config(network)
    _, height, width = data["input_size"] if side is None else (None, side, side)
    scaled = [math.floor(side / data["crop_pct"]) for side in (height, width)]
    mode = RESIZE_MODES[data["crop_mode"]]
    mean, std = tuple(map(float, data["mean"])), tuple(map(float, data["std"]))
    return Spec(
        architecture=architecture,
        classes=tuple(classes),
        input_size=height if height == width else (height, width),
        resize=scaled[0] if scaled[0] == scaled[1] else (scaled[0], scaled[1]),
        resize_mode=mode,
        interpolation=data["interpolation"],
        mean=mean,
        std=std,
        padding=_rounded(mean) if mode == "pad" and len(mean) == 3 else (0.0, 0.0, 0.0),
        multi_label=len(classes) == 1,
    )


def _without_memory(architecture: str, classes: int) -> nn.Module:
    with without_memory():
        return build(architecture, classes, channels=3, configuration={})


def _rounded(colour: Sequence[float]) -> tuple[float, float, float]:
    """The mean colour as timm pads with it, in whole levels of 255."""
    red, green, blue = (round(255 * value) / 255 for value in colour)
    return red, green, blue


def class_names(architecture: str, count: int, *, network: nn.Module | None = None) -> tuple[str, ...] | None:
    """The names of the classes of timm's own weights; None where timm does not know them.

    The 1000 classes of ImageNet-1k have torchvision's names, by which Mirage finds their synonyms.
    """
    network = network or _without_memory(architecture, count)
    configuration = getattr(network, "pretrained_cfg", None) or {}
    names = configuration.get("label_names")
    if names and len(names) == count:
        return tuple(map(str, names))
    from timm.data.imagenet_info import ImageNetInfo, infer_imagenet_subset

    subset = infer_imagenet_subset(network)
    if subset is None:
        return None
    if subset == "imagenet-1k":
        return imagenet_names() if count == 1000 else None
    information = ImageNetInfo(subset)
    if information.num_classes() != count:
        return None
    return tuple(information.index_to_description(index) for index in range(count))


def imagenet_names() -> tuple[str, ...]:
    """torchvision's names of the 1000 classes of ImageNet-1k, in the order of their indices."""
    from torchvision.models import ResNet18_Weights

    return tuple(ResNet18_Weights.DEFAULT.meta["categories"])


def pretrained(architecture: str) -> nn.Module:
    """The network with the weights that timm publishes; they are downloaded if the cache does not have them.

    Raises UnknownArchitecture, and whatever timm raises where they cannot be downloaded or read.
    """
    network: nn.Module = timm().create_model(name_in_timm(architecture), pretrained=True)
    return network.eval()

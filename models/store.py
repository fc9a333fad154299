"""Loading classifiers by name: a checkpoint of a folder, or a network with the weights that its library publishes.

`imagenet/<architecture>` is torchvision's, `timm/<name>` is timm's.
"""

import hashlib
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from models import architectures, checkpoint
from models.architectures import timm_networks
from models.classifier import Classifier
from models.spec import Spec

if TYPE_CHECKING:
    from torchvision.models import WeightsEnum

IMAGENET = "imagenet/"
"""Beginning of the names of torchvision's models."""
SUFFIX = ".safetensors"
"""End of the names of checkpoint files."""
BUNDLED = Path(__file__).parent / "checkpoints"
"""Folder of the checkpoints that come with this project."""


class UnknownModel(LookupError):
    """There is no checkpoint, and no network of torchvision or timm, with this name."""


class NoCard(LookupError):
    """The model has no model card."""


class WeightsUnavailable(RuntimeError):
    """The published weights are not on this machine and could not be downloaded."""


EXPECTED = (UnknownModel, WeightsUnavailable, checkpoint.BadCheckpoint)
"""Errors of `load` whose cause is outside this project, such as a missing file; any other error is a bug."""


@dataclass(frozen=True)
class Model:
    """A classifier with its name and its provenance: how and from what it was made (see `Checkpoint`)."""

    name: str
    classifier: Classifier
    provenance: Mapping[str, Any]

    @property
    def spec(self) -> Spec:
        """Architecture, classes and preprocessing."""
        return self.classifier.spec

    @property
    def version(self) -> str:
        """The beginning of `digest`: another one means other weights or another spec."""
        return self.digest[:12]

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the spec and of the weights as they are served; the first call takes a second per GB."""
        return weights_digest(self.classifier.network, repr(self.spec))


def weights_digest(network: nn.Module, text: str = "") -> str:
    """SHA-256 of a text and of the names and values of all weights."""
    digest = hashlib.sha256(text.encode())
    for name, tensor in sorted(network.state_dict().items()):
        digest.update(name.encode())
        digest.update(tensor.cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def checkpoint_names(folder: Path = BUNDLED) -> list[str]:
    """The names of the checkpoints in the folder: their file names without `.safetensors`; none if there is no folder.

    Names are left out that begin with a dot, as those of files do that are being copied, and that cannot be printed.
    """
    try:
        return list_checkpoints(folder)
    except OSError:
        return []


def list_checkpoints(folder: Path) -> list[str]:
    """The same; raises OSError if the folder cannot be listed."""
    names = (file.removesuffix(SUFFIX) for file in os.listdir(folder) if file.endswith(SUFFIX))
    return sorted(name for name in names if name.isprintable() and name and not name.startswith("."))


def is_checkpoint(name: str) -> bool:
    """Whether the name is that of a checkpoint in a folder, and not of a network with published weights."""
    return not name.startswith((IMAGENET, timm_networks.PREFIX))


def card_file(name: str, *, folder: Path = BUNDLED) -> Path | None:
    """The model card that the training module wrote beside the checkpoint; None if the model has none.

    No name leads to a file outside the folder, and neither does a symbolic link.
    """
    if name not in checkpoint_names(folder):
        return None
    file = folder / f"{name}.md"
    return file if file.is_file() and file.resolve().is_relative_to(folder.resolve()) else None


def read_card(name: str, *, folder: Path = BUNDLED) -> bytes:
    """The text of the model card, which is Markdown in UTF-8; raises NoCard if the model has none."""
    file = card_file(name, folder=folder)
    if file is None:
        raise NoCard(
            f"the model {name!r} has no model card: the training module writes one beside each checkpoint, as NAME.md, "
            "and models of torchvision have none; GET /models/{name} has what is known about the model"
        )
    return file.read_bytes()


def load(name: str, *, folder: Path = BUNDLED, device: torch.device | str = "cpu") -> Model:
    """Load the model with this name; raises UnknownModel, WeightsUnavailable or checkpoint.BadCheckpoint."""
    if name.startswith(IMAGENET):
        return _load_imagenet(name, device)
    if name.startswith(timm_networks.PREFIX):
        return _load_timm(name, device)
    if name not in checkpoint_names(folder):
        names = ", ".join(checkpoint_names(folder)) or "none"
        raise UnknownModel(
            f"no checkpoint {name!r} in {folder} (there: {names}); `imagenet/<architecture>` names torchvision's "
            "networks, and `timm/<name>` those of timm"
        )
    classifier, contents = checkpoint.load(folder / f"{name}{SUFFIX}", device=device)
    return Model(name, classifier.fold(), contents.provenance)


def _load_imagenet(name: str, device: torch.device | str) -> Model:
    try:
        weights = _preferred_weights(name.removeprefix(IMAGENET))
    except architectures.UnknownArchitecture as error:
        raise UnknownModel(str(error)) from error
    spec = imagenet_spec(name.removeprefix(IMAGENET), weights)
    network = architectures.build(
        spec.architecture, len(spec.classes), published=True, configuration=spec.configuration
    )
    try:
        architectures.load_exactly(network, _state(weights, name))
    except architectures.BadWeights as error:
        raise WeightsUnavailable(
            f"{cached_file(weights)} holds the weights of another network ({error}): delete the file"
        ) from error
    provenance = {"parent": {"name": f"torchvision {weights}", "url": weights.url}, "metrics": _metrics(weights)}
    return Model(name, Classifier(network, spec, device=device).fold(), provenance)


def _load_timm(name: str, device: torch.device | str) -> Model:
    try:
        network = timm_networks.pretrained(name)
    except architectures.UnknownArchitecture as error:
        raise UnknownModel(str(error)) from error
    # No network, no such repository, a damaged file: timm raises nearly anything.
    except Exception as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise WeightsUnavailable(
            f"the weights of {name} cannot be downloaded or read ({reason}): on a machine without internet, import "
            f"them from a file with `python -m training import FILE --architecture {name}`"
        ) from error
    configuration: Mapping[str, Any] = network.pretrained_cfg  # type: ignore[assignment]
    count = int(configuration["num_classes"])
    if count < 2:
        raise UnknownModel(f"timm's weights of {name} have no classes: choose others, or train a head with `fit`")
    classes = timm_networks.class_names(name, count, network=network) or tuple(map(str, range(count)))
    spec = timm_networks.spec(name, classes, network=network)
    parent = {"name": f"timm {configuration.get('hf_hub_id') or name}", "licence": configuration.get("license")}
    return Model(name, Classifier(network, spec, device=device).fold(), {"parent": parent})


def imagenet_spec(architecture: str, weights: "WeightsEnum | None" = None) -> Spec:
    """The spec that torchvision states for its weights, by default for those that it recommends."""
    weights = weights or architectures.weight_choices(architecture)[0]
    transforms = weights.transforms()
    side = transforms.crop_size[0]
    return Spec(
        architecture=architecture,
        classes=tuple(weights.meta["categories"]),
        input_size=side,
        resize=transforms.resize_size[0],
        interpolation=transforms.interpolation.value,
        mean=tuple(transforms.mean),
        std=tuple(transforms.std),
        configuration=architectures.of_size(architecture, side),
    )


def cached_file(weights: "WeightsEnum") -> Path:
    """Path of a weight file in torchvision's cache, TORCH_HOME/hub/checkpoints; the file may be missing."""
    name: str = weights.url.rsplit("/", 1)[-1]
    return Path(torch.hub.get_dir()) / "checkpoints" / name


def pretrained_weights(architecture: str) -> tuple[Mapping[str, torch.Tensor], str]:
    """torchvision's pretrained weights of an architecture and their name; raises WeightsUnavailable."""
    weights = _preferred_weights(architecture)
    return _state(weights, f"{IMAGENET}{architecture}"), f"torchvision {weights}"


def _preferred_weights(architecture: str) -> "WeightsEnum":
    """The weights that torchvision recommends, or others that need no download; raises UnknownArchitecture."""
    choices = architectures.weight_choices(architecture)
    return next((choice for choice in choices if cached_file(choice).is_file()), choices[0])


def _state(weights: "WeightsEnum", name: str) -> dict[str, torch.Tensor]:
    file = cached_file(weights)
    try:
        state: dict[str, torch.Tensor] = weights.get_state_dict(progress=False, check_hash=True, weights_only=True)
    # OSError: no network, no such host, a proxy's refusal, a read-only cache. torch.load raises nearly anything if the
    # file is something else, such as a proxy's error page.
    except Exception as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise WeightsUnavailable(
            f"the weights of {name} cannot be downloaded or read ({reason}): fetch {weights.url} and put it into "
            f"{file.parent}, replacing the file of this name if there is one"
        ) from error
    # Auxiliary heads (GoogLeNet, Inception) are used only in training from scratch.
    return {_current_name(key): value for key, value in state.items() if not key.lower().startswith("aux")}


def _current_name(key: str) -> str:
    """The name of a weight in torchvision's present code: its DenseNet files of 2017 have `norm.1` for `norm1`."""
    return re.sub(r"(denselayer\d+\.(?:norm|relu|conv))\.(\d)\.", r"\1\2.", key)


def _metrics(weights: "WeightsEnum") -> Mapping[str, Any]:
    published: Mapping[str, Any] = weights.meta.get("_metrics", {})
    return published

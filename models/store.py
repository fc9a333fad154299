"""Named classifiers: a folder of checkpoints, and `imagenet/<architecture>` with torchvision's own weights."""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torchvision.models import WeightsEnum

from models import architectures, checkpoint
from models.classifier import Classifier
from models.spec import Spec

IMAGENET = "imagenet/"
BUNDLED = Path(__file__).parent / "checkpoints"


class UnknownModel(LookupError):
    """No checkpoint and no torchvision network of this name."""


class WeightsUnavailable(RuntimeError):
    """torchvision's weights are neither on this machine nor could they be downloaded."""


EXPECTED = (UnknownModel, WeightsUnavailable, checkpoint.BadCheckpoint)
"""What `load` raises for reasons that lie outside this project; anything else is a fault of its own."""


@dataclass(frozen=True)
class Model:
    """A classifier with its name and what is known of where it comes from."""

    name: str
    classifier: Classifier
    provenance: Mapping[str, Any]

    @property
    def spec(self) -> Spec:
        """Architecture, classes and preprocessing."""
        return self.classifier.spec

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the weights as they are served and of the spec; takes a second per GB, the first time."""
        digest = hashlib.sha256(repr(self.spec).encode())
        for name, tensor in sorted(self.classifier.network.state_dict().items()):
            digest.update(name.encode())
            digest.update(tensor.cpu().contiguous().numpy().tobytes())
        return digest.hexdigest()


def checkpoint_names(folder: Path = BUNDLED) -> list[str]:
    """The names that `load` finds in the folder: file names without their ending."""
    return sorted(path.stem for path in folder.glob("*.safetensors"))


def load(name: str, *, folder: Path = BUNDLED, device: torch.device | str = "cpu") -> Model:
    """The model of this name on the device; raises UnknownModel, WeightsUnavailable, checkpoint.BadCheckpoint."""
    if name.startswith(IMAGENET):
        return _load_imagenet(name, device)
    if name not in checkpoint_names(folder):
        there = ", ".join(checkpoint_names(folder)) or "none"
        raise UnknownModel(
            f"no checkpoint {name!r} in {folder} (there: {there}); `imagenet/<architecture>` names torchvision's own"
        )
    classifier, found = checkpoint.load(folder / f"{name}.safetensors", device=device)
    return Model(name, classifier.fold(), found.provenance)


def _load_imagenet(name: str, device: torch.device | str) -> Model:
    try:
        choices = architectures.weight_choices(name.removeprefix(IMAGENET))
    except architectures.UnknownArchitecture as error:
        raise UnknownModel(str(error)) from error
    # What lies in torchvision's cache goes before what would have to be fetched.
    weights = next((choice for choice in choices if cached_file(choice).is_file()), choices[0])
    spec = imagenet_spec(name.removeprefix(IMAGENET), weights)
    network = architectures.build(spec.architecture, len(spec.classes), published=True)
    try:
        architectures.load_exactly(network, _state(weights, name))
    except architectures.BadWeights as error:
        raise WeightsUnavailable(f"{cached_file(weights)} is of something else: {error}; delete it") from error
    provenance = {"parent": {"name": f"torchvision {weights}", "url": weights.url}, "metrics": _metrics(weights)}
    return Model(name, Classifier(network, spec, device=device).fold(), provenance)


def imagenet_spec(architecture: str, weights: WeightsEnum | None = None) -> Spec:
    """The preprocessing and classes that torchvision states for its weights (its recommended ones by default)."""
    weights = weights or architectures.weight_choices(architecture)[0]
    transforms = weights.transforms()
    return Spec(
        architecture=architecture,
        classes=tuple(weights.meta["categories"]),
        input_size=transforms.crop_size[0],
        resize=transforms.resize_size[0],
        interpolation=transforms.interpolation.value,
        mean=tuple(transforms.mean),
        std=tuple(transforms.std),
    )


def cached_file(weights: WeightsEnum) -> Path:
    """Where torchvision keeps a weight file: TORCH_HOME/hub/checkpoints."""
    name: str = weights.url.rsplit("/", 1)[-1]
    return Path(torch.hub.get_dir()) / "checkpoints" / name


def pretrained_weights(architecture: str) -> tuple[Mapping[str, torch.Tensor], str]:
    """torchvision's weights of an architecture to train from, and their name; raises WeightsUnavailable."""
    choices = architectures.weight_choices(architecture)
    weights = next((choice for choice in choices if cached_file(choice).is_file()), choices[0])
    return _state(weights, f"{IMAGENET}{architecture}"), f"torchvision {weights}"


def _state(weights: WeightsEnum, name: str) -> dict[str, torch.Tensor]:
    file = cached_file(weights)
    try:
        state: dict[str, torch.Tensor] = weights.get_state_dict(progress=False, check_hash=True, weights_only=True)
    # OSError: no network, no such host, a proxy's refusal, a read-only cache. torch.load raises nearly anything where
    # something else lies under the file's name, such as a proxy's page.
    except Exception as error:
        told = (str(error).splitlines() or [type(error).__name__])[0]
        raise WeightsUnavailable(
            f"the weights of {name} cannot be downloaded or read ({told}): fetch {weights.url} and put it into "
            f"{file.parent}, in the place of what may lie there"
        ) from error
    return {_today(key): value for key, value in state.items() if not key.lower().startswith("aux")}


def _today(key: str) -> str:
    """A weight's name in torchvision's present code: its DenseNet files of 2017 say `norm.1` for `norm1`.

    (GoogLeNet's and Inception's auxiliary heads, left out above, serve training from scratch alone.)
    """
    return re.sub(r"(denselayer\d+\.(?:norm|relu|conv))\.(\d)\.", r"\1\2.", key)


def _metrics(weights: WeightsEnum) -> Mapping[str, Any]:
    published: Mapping[str, Any] = weights.meta.get("_metrics", {})
    return published

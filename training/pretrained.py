"""Pretrained weights to start from, with their name, digest and licence."""

import hashlib
import pickle
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from models import architectures, checkpoint, store
from models.spec import Spec


class BadPretrainedWeights(ValueError):
    """A file of weights that cannot be read, or whose weights are of another architecture."""


@dataclass(frozen=True)
class PretrainedWeights:
    """Weights by torchvision's keys. `spec` has their preprocessing, `data` what a checkpoint says of its data set."""

    name: str
    digest: str
    licence: str
    spec: Spec
    weights: Mapping[str, Tensor]
    data: Mapping[str, Any] = field(default_factory=dict)


def load_pretrained(architecture: str, file: Path | None, licence: str | None) -> PretrainedWeights:
    """The weights in the file (.safetensors, .pth, or a checkpoint of Mirage), or torchvision's own if `file` is None.

    No code in the file is run. `licence` takes precedence over the metadata of the file; without both it is "unknown".
    Raises BadPretrainedWeights, UnknownArchitecture, WeightsUnavailable.
    """
    if file is None:
        return _torchvision(architecture, licence)
    if not file.is_file():
        raise BadPretrainedWeights(f"there are no weights {file}: give --weights an existing .safetensors or .pth file")
    weights, header = _read_safetensors(file) if file.suffix == ".safetensors" else (_read_pickle(file), {})
    data: Mapping[str, Any] = {}
    spec, own_licence = store.imagenet_spec(architecture), header.get("license") or header.get("licence")
    if "mirage" in header:
        try:
            stored = checkpoint.read(file)
        except checkpoint.BadCheckpoint as error:
            raise BadPretrainedWeights(str(error)) from error
        if stored.spec.architecture != architecture:
            actual = stored.spec.architecture
            raise BadPretrainedWeights(f"{file.name} is a {actual}, not a {architecture}: give --architecture {actual}")
        spec, weights = stored.spec, _full_precision(stored.weights)
        own_licence, data = stored.provenance.get("parent", {}).get("licence"), stored.provenance.get("data", {})
    return PretrainedWeights(file.stem, file_digest(file), licence or own_licence or "unknown", spec, weights, data)


def _torchvision(architecture: str, licence: str | None) -> PretrainedWeights:
    weights, name = store.pretrained_weights(architecture)
    (choice,) = [choice for choice in architectures.weight_choices(architecture) if name == f"torchvision {choice}"]
    digest = file_digest(store.cached_file(choice))
    spec = store.imagenet_spec(architecture, choice)
    return PretrainedWeights(name, digest, licence or "BSD-3-Clause (torchvision)", spec, weights)


def _read_safetensors(file: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    try:
        with safe_open(file, framework="pt") as opened:
            weights = {key: opened.get_tensor(key) for key in opened.keys()}  # noqa: SIM118 - not a dict
            return _full_precision(weights), opened.metadata() or {}
    except (SafetensorError, OSError) as error:
        raise BadPretrainedWeights(f"{file.name} is not a safetensors file, or is damaged ({error})") from error


def _read_pickle(file: Path) -> dict[str, Tensor]:
    try:
        loaded = torch.load(file, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, OSError) as error:
        raise BadPretrainedWeights(
            f"{file.name} has no plain weights in it: save the network's `state_dict()` ({str(error).splitlines()[0]})"
        ) from error
    for key in ("state_dict", "model"):
        loaded = loaded.get(key, loaded) if isinstance(loaded, dict) else loaded
    if not isinstance(loaded, dict) or not all(isinstance(value, Tensor) for value in loaded.values()):
        raise BadPretrainedWeights(f"{file.name} has no state_dict in it: save the network's `state_dict()`")
    return _full_precision(loaded)


def _full_precision(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {key: tensor.float() if tensor.is_floating_point() else tensor for key, tensor in weights.items()}


def file_digest(file: Path) -> str:
    """SHA-256 of the file, as `sha256sum` prints it."""
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()

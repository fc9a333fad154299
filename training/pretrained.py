"""Pretrained weights to start from, with their name, digest and licence."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from models import architectures, checkpoint, store
from models.architectures import timm_networks, transformers_networks
from models.spec import Spec
from training.importing.prefixes import unwrapped
from training.importing.recognise import fit
from training.importing.sources import timm_models
from training.importing.sources.state_dicts import spec_of_size
from training.importing.weights_file import WeightsFile, file_digest, full_precision, read_weights


class BadPretrainedWeights(ValueError):
    """Weights that are of another architecture, or that nothing can be trained from."""


@dataclass(frozen=True)
class PretrainedWeights:
    """Weights by the keys of the network. `spec` has their preprocessing, `data` what a checkpoint says of its data.

    `warnings` say which weights of the file were chosen, or left out. The spec describes the network that is trained:
    its outputs are logits, one for each class.
    """

    name: str
    digest: str
    licence: str
    spec: Spec
    weights: Mapping[str, Tensor]
    data: Mapping[str, Any] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()

    def network(self, spec: Spec) -> nn.Module:
        """The network with these weights and a new head, for the classes of a spec.

        Raises BadWeights, or BadPretrainedWeights where it takes no pictures of that size.
        """
        network = architectures.build(
            spec.architecture, len(spec.classes), channels=spec.channels, configuration=spec.configuration
        )
        if "/" in spec.architecture or spec.architecture not in architectures.architectures():
            _check_head(network, spec)
        architectures.load_backbone(network, self.weights)
        return network


def _check_head(network: nn.Module, spec: Spec) -> None:
    try:
        architectures.check_head(network, torch.zeros(1, spec.channels, *spec.size))
    except architectures.BadWeights:
        raise
    except (RuntimeError, ValueError, AssertionError) as error:
        height, width = spec.size
        raise BadPretrainedWeights(
            f"{spec.architecture} takes no pictures of {height} x {width} pixels in {spec.channel_names} ({error}): "
            "give another --input-size, or leave it out"
        ) from error


def load_pretrained(architecture: str, file: Path | None, licence: str | None) -> PretrainedWeights:
    """The weights in the file (.safetensors, .pth, or a checkpoint of Mirage), or the published ones without a `file`.

    Published weights are those of torchvision, or of timm for `timm/...`. No code in the file is run. `licence` takes
    precedence over the metadata of the file; without both it is "unknown". Raises BadPretrainedWeights, BadWeightsFile,
    UnknownArchitecture, WeightsUnavailable.
    """
    if file is None:
        return _published(architecture, licence)
    stored = read_weights(file)
    digest, own_licence = file_digest(file), stored.metadata.get("license") or stored.metadata.get("licence")
    if "mirage" in stored.metadata:
        return _of_checkpoint(architecture, file, digest, licence)
    weights = full_precision(stored.weights)
    if architecture.startswith(timm_networks.PREFIX):
        model = timm_models.from_weights(architecture, replace(stored, classes=None), None, {})
        spec, weights, left_out = _trainable(model.spec), dict(model.network.state_dict()), model.left_out
    elif architecture.startswith(transformers_networks.PREFIX) or architecture not in architectures.architectures():
        raise BadPretrainedWeights(
            f"nothing says how pictures are preprocessed for {architecture}: import the weights first with `python -m "
            "training import`, and give the checkpoint as --weights"
        )
    else:
        spec, weights, left_out = _of_torchvision(architecture, stored)
    own_licence = licence or own_licence or "unknown"
    warnings = (*stored.warnings, *left_out)
    return PretrainedWeights(file.stem, digest, own_licence, spec, weights, warnings=warnings)


def _of_torchvision(architecture: str, stored: WeightsFile) -> tuple[Spec, dict[str, Tensor], tuple[str, ...]]:
    """The weights under the names that torchvision has for them, and warnings about those that are left out.

    Weights of another network are returned as they are.
    """
    spec, weights = store.imagenet_spec(architecture), full_precision(stored.weights)
    for form, left_out in unwrapped(weights):
        found = fit(architecture, form)
        if found is not None:
            return spec_of_size(spec, found.side), dict(found.weights), left_out
    return spec, weights, ()


def _of_checkpoint(architecture: str, file: Path, digest: str, licence: str | None) -> PretrainedWeights:
    try:
        stored = checkpoint.read(file)
    except checkpoint.BadCheckpoint as error:
        raise BadPretrainedWeights(str(error)) from error
    actual = stored.spec.architecture
    if actual == architectures.EXPORTED:
        raise BadPretrainedWeights(
            f"{file.name} is an exported program, whose head cannot be replaced: import the network's weights instead"
        )
    if actual != architecture:
        raise BadPretrainedWeights(f"{file.name} is a {actual}, not a {architecture}: give --architecture {actual}")
    parent = stored.provenance.get("parent")
    own_licence = parent.get("licence") if isinstance(parent, Mapping) else None
    return PretrainedWeights(
        file.stem,
        digest,
        licence or own_licence or "unknown",
        _trainable(stored.spec),
        full_precision(stored.weights),
        stored.provenance.get("data", {}),
    )


def _trainable(spec: Spec) -> Spec:
    """The spec of a network that is trained from these weights: a new head gives logits of the new classes."""
    # torchvision's own head may have no bias, or a ReLU after it, and a linear classifier cannot be written into it.
    configuration = {key: value for key, value in spec.configuration.items() if key != "published"}
    # Those of the data take their place; a single label, without a second class, would need `multi_label`.
    classes = spec.classes if len(spec.classes) > 1 else (*spec.classes, "none")
    return replace(
        spec,
        classes=classes,
        outputs="logits",
        multi_label=False,
        background=False,
        binary=False,
        differentiable=True,
        configuration=configuration,
    )


def _published(architecture: str, licence: str | None) -> PretrainedWeights:
    if architecture.startswith(timm_networks.PREFIX):
        model = timm_models.published(architecture, None)
        digest = store.weights_digest(model.network)
        own = licence or str(model.source["licence"])
        return PretrainedWeights(f"timm {model.source['name']}", digest, own, model.spec, model.network.state_dict())
    weights, name = store.pretrained_weights(architecture)
    (choice,) = [choice for choice in architectures.weight_choices(architecture) if name == f"torchvision {choice}"]
    digest = file_digest(store.cached_file(choice))
    spec = store.imagenet_spec(architecture, choice)
    return PretrainedWeights(name, digest, licence or "BSD-3-Clause (torchvision)", spec, weights)

"""Weights in a file, for a network of torchvision, of timm or of the user's own."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from PIL import Image
from torch import Tensor

from models import architectures, store
from models.architectures import registered, timm_networks
from models.spec import Spec
from training.importing.class_names import choose_names
from training.importing.model import IMAGENETS, BadSource, Preprocessing, SourceModel
from training.importing.prefixes import unwrapped
from training.importing.recognise import Unrecognised, fit, recognise
from training.importing.sources import timm_models
from training.importing.sources.channels import with_channels
from training.importing.weights_file import (
    WeightsFile,
    common_dtype,
    file_digest,
    full_precision,
    read_weights,
)

logger = logging.getLogger(__name__)
TENSORFLOW = (0.5, 0.5, 0.5)
"""Mean and standard deviation of torchvision's networks from TensorFlow, where they began as the published weights."""


def read(
    file: Path, architecture: str | None, classes: Sequence[str] | None, *, background: bool = False
) -> SourceModel:
    """The model in a file of weights; without an `architecture` it is recognised among torchvision's.

    Raises BadWeightsFile, BadSource, Unrecognised, UnknownArchitecture, BadWeights.
    """
    stored = read_weights(file)
    if "mirage" in stored.metadata:
        raise BadSource(f"{file.name} is a checkpoint of Mirage already: the service and `training` take it as it is")
    source = {"file": file.name, "sha256": file_digest(file), "licence": stored.metadata.get("license", "unknown")}
    source["dtype"] = common_dtype(stored.weights)
    if architecture is not None and architecture.startswith(timm_networks.PREFIX):
        model = timm_models.from_weights(architecture, stored, classes, source, background=background)
    elif architecture is not None and architecture in registered.registered():
        model = _own(architecture, stored, classes, source, background)
    else:
        model = _torchvisions(stored, architecture, classes, source, background)
    doubts = stored.doubts if classes is None else ()
    return replace(model, warnings=(*model.warnings, *stored.warnings, *doubts))


def _torchvisions(
    stored: WeightsFile,
    architecture: str | None,
    classes: Sequence[str] | None,
    source: Mapping[str, Any],
    has_background: bool,
) -> SourceModel:
    weights = full_precision(stored.weights)
    found, unrecognised = None, Unrecognised("these are no weights of a network")
    left_out: tuple[str, ...] = ()
    for form, warnings in unwrapped(weights):
        try:
            found = recognise(form) if architecture is None else fit(architecture, form)
        except Unrecognised as error:
            unrecognised = unrecognised if warnings else error
        if found is not None:
            left_out = warnings
            break
    if found is None and architecture is None:
        raise unrecognised
    if found is None:
        assert architecture is not None
        network = architectures.build(architecture, 1000, published=True)
        architectures.load_exactly(network, weights)  # raises BadWeights, which says what does not fit
        raise BadSource(f"these weights are not of {architecture}")
    chosen = choose_names(found.outputs, given=classes, own=stored.classes, background=has_background)
    warnings = (*chosen.warnings, *left_out)
    network = architectures.build(
        found.architecture, found.outputs, channels=found.channels, configuration=found.configuration
    )
    architectures.load_exactly(network, found.weights)
    spec = replace(
        spec_of_size(store.imagenet_spec(found.architecture), found.side),
        **chosen.fields,
        configuration=found.configuration,
    )
    if found.architecture in architectures.TENSORFLOWS:
        spec = replace(spec, mean=TENSORFLOW, std=TENSORFLOW)
    spec = with_channels(spec, found.channels)
    import torchvision  # late: it takes a second to import

    kind = {"kind": "torchvision", "versions": {"torchvision": torchvision.__version__}}
    if architecture is None:
        warnings += (
            f"the names and shapes of the weights are those of torchvision's {found.architecture}, and of variants of "
            "it, if there are any, that compute something else: --check shows whether it is right",
        )
    assumed = f"torchvision's own weights of {found.architecture}"
    return SourceModel(network, spec, {**kind, **source}, _transforms(spec), warnings, assumed, left_out)


def spec_of_size(spec: Spec, side: int | None) -> Spec:
    """The spec of a vision transformer for pictures of its own size, resized in the same proportion."""
    if side is None:
        return spec
    resize = round(max(spec.resize_size) * side / max(spec.size))
    configuration = architectures.of_size(spec.architecture, side)
    return replace(spec, input_size=side, resize=resize, configuration=configuration)


def _own(
    architecture: str,
    stored: WeightsFile,
    classes: Sequence[str] | None,
    source: Mapping[str, Any],
    has_background: bool,
) -> SourceModel:
    """A network that the user registered. Its head's size is tried: that of the names, or of the last weights."""
    weights = full_precision(stored.weights)
    last = [len(tensor) for tensor in weights.values() if tensor.numel() and tensor.ndim][-1:] or [0]
    counts = [len(names) for names in (classes, stored.classes) if names]
    of_names = [*counts, *(1 for count in counts if count == 2), *(count + 1 for count in counts if has_background)]
    for outputs in dict.fromkeys([*of_names, *last]):
        for form, left_out in unwrapped(weights):
            network = architectures.build(architecture, outputs)
            try:
                architectures.load_exactly(network, form)
            except architectures.BadWeights as error:
                logger.debug("%s with %d classes: %s", architecture, outputs, error)
                continue
            chosen = choose_names(outputs, given=classes, own=stored.classes, background=has_background)
            spec = Spec(architecture, **chosen.fields)
            own = {"kind": "registered", **source}
            return SourceModel(network, spec, own, None, (*chosen.warnings, *left_out), IMAGENETS, left_out)
    network = architectures.build(architecture, len(classes or ()) or last[0])
    architectures.load_exactly(network, weights)  # raises BadWeights, which says what does not fit
    raise BadSource(f"these weights are not of {architecture}")


def _transforms(spec: Spec) -> Preprocessing | None:
    """torchvision's own preprocessing for pictures of three channels."""
    if spec.channel_names != "RGB":
        return None
    from torchvision.transforms import InterpolationMode
    from torchvision.transforms._presets import ImageClassification

    transforms = ImageClassification(
        crop_size=spec.side,
        resize_size=max(spec.resize_size),
        mean=spec.mean,
        std=spec.std,
        interpolation=InterpolationMode(spec.interpolation),
        antialias=True,
    )

    def preprocess(image: Image.Image) -> Tensor:
        pixels: Tensor = transforms(image)
        return pixels.unsqueeze(0)

    return preprocess

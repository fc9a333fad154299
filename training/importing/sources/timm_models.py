"""Networks of timm, with weights from a file or as timm publishes them."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from PIL import Image
from torch import Tensor, nn

from models import architectures
from models.architectures import BadWeights, timm_networks
from models.architectures.without_memory import without_memory
from models.spec import LARGEST, SMALLEST, Spec
from models.store import WeightsUnavailable
from training.importing.class_names import choose_names
from training.importing.model import Preprocessing, SourceModel
from training.importing.prefixes import unwrapped
from training.importing.recognise import with_plain_head
from training.importing.sources.channels import with_channels
from training.importing.weights_file import WeightsFile, full_precision

TIMMS = (
    "the file has no names of classes, so the {} outputs of the network are taken to be the classes of timm's own "
    "weights of {}; give --classes if they are others"
)


def published(architecture: str, classes: Sequence[str] | None, *, background: bool = False) -> SourceModel:
    """A network with the weights that timm publishes for it, which are downloaded where they are not cached.

    Raises UnknownArchitecture, WeightsUnavailable, BadSource.
    """
    timm_networks.name_in_timm(architecture)
    try:
        network = timm_networks.pretrained(architecture)
    except Exception as error:  # no network, no such repository, a damaged file: timm raises nearly anything
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise WeightsUnavailable(
            f"the weights of {architecture} cannot be downloaded or read ({reason}): give a file of weights, and "
            f"--architecture {architecture}"
        ) from error
    configuration: Mapping[str, Any] = network.pretrained_cfg  # type: ignore[assignment]
    source = {
        "name": configuration.get("hf_hub_id") or architecture,
        "licence": configuration.get("license") or "unknown",
    }
    return _model(
        architecture, network, int(configuration["num_classes"]), 3, classes, None, source, background=background
    )


def from_weights(
    architecture: str,
    stored: WeightsFile,
    classes: Sequence[str] | None,
    source: Mapping[str, Any],
    *,
    background: bool = False,
) -> SourceModel:
    """A network of timm with the weights of a file; raises UnknownArchitecture, BadWeights."""
    weights = full_precision(stored.weights)
    fault: BadWeights | None = None
    for wrapped, left_out in unwrapped(weights):
        form, outputs, channels, configuration = _shape(architecture, wrapped)
        build = partial(architectures.build, architecture, outputs, channels=channels, configuration=configuration)
        architectures.sketch(form, build)
        network = build()
        try:
            architectures.load_exactly(network, form)
        except BadWeights as error:
            fault = fault or error
            continue
        model = _model(
            architecture,
            network,
            outputs,
            channels,
            classes,
            stored.classes,
            source,
            configuration,
            background=background,
            of_file=True,
        )
        assumed = f"timm's own weights of {architecture}"
        return replace(model, assumed=assumed, warnings=(*model.warnings, *left_out), left_out=left_out)
    assert fault is not None
    raise fault


def _shape(architecture: str, weights: dict[str, Tensor]) -> tuple[dict[str, Tensor], int, int, dict[str, Any]]:
    """The weights with the head's own name, their number of outputs and channels, and what another input size needs."""
    with without_memory():
        network = architectures.build(architecture, 1000)
    configuration: Mapping[str, Any] = network.pretrained_cfg  # type: ignore[assignment]
    head, stem = (_first(configuration.get(key)) for key in ("classifier", "first_conv"))
    weights = with_plain_head(weights, head)
    last = weights.get(f"{head}.weight")
    outputs = len(last) if last is not None and last.numel() and last.ndim else 1000
    first = weights.get(f"{stem}.weight")
    channels = first.shape[1] if first is not None and first.ndim == 4 and 1 <= first.shape[1] <= 4 else 3
    positions = network.state_dict().get("pos_embed")
    own = weights.get("pos_embed")
    embed = getattr(network, "patch_embed", None)
    if positions is None or own is None or embed is None or positions.shape == own.shape or own.ndim != 3:
        return weights, outputs, channels, {}
    grid_height, grid_width = embed.grid_size
    before = positions.shape[1] - grid_height * grid_width
    side = math.isqrt(max(0, own.shape[1] - before)) * embed.patch_size[0]
    return weights, outputs, channels, {"img_size": side} if SMALLEST <= side <= LARGEST else {}


def _first(names: Any) -> str:
    return str(names[0] if isinstance(names, list | tuple) else names)


def _model(
    architecture: str,
    network: nn.Module,
    outputs: int,
    channels: int,
    given: Sequence[str] | None,
    own: Sequence[str] | None,
    source: Mapping[str, Any],
    configuration: Mapping[str, Any] | None = None,
    *,
    background: bool,
    of_file: bool = False,
) -> SourceModel:
    timms = None
    if given is None and not own and not (of_file and outputs == 1000):
        timms = timm_networks.class_names(architecture, outputs, network=network)
    chosen = choose_names(outputs, given=given, own=own or timms, background=background)
    if of_file and timms is not None:
        chosen = replace(chosen, warnings=(*chosen.warnings, TIMMS.format(outputs, architecture)))
    configuration = configuration or {}
    spec = timm_networks.spec(architecture, chosen.names, network=network, side=configuration.get("img_size"))
    spec = replace(with_channels(spec, channels), **chosen.fields, configuration=configuration)
    kind = {"kind": "timm", "versions": {"timm": timm_networks.timm().__version__}}
    return SourceModel(network.eval(), spec, {**kind, **source}, transforms(network, spec), chosen.warnings)


def transforms(network: nn.Module, spec: Spec) -> Preprocessing | None:
    """timm's own preprocessing for the network, at the input size of the spec; None for pictures without colours."""
    if spec.channel_names != "RGB":
        return None
    from timm.data.config import resolve_model_data_config
    from timm.data.transforms_factory import create_transform

    data = {**resolve_model_data_config(network), "input_size": (spec.channels, *spec.size)}
    transform = create_transform(**data, is_training=False)

    def preprocess(image: Image.Image) -> Tensor:
        pixels: Tensor = transform(image)
        return pixels.unsqueeze(0)

    return preprocess

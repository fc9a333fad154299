"""Image classifiers of Hugging Face's transformers, built from their configuration: `transformers/vit` and others.

transformers is an extra: `pip install mirage-vision[huggingface]`. It is imported when one of its networks is asked
for. Code of a repository or of a folder is never run: a network is one of the classes in transformers itself.
"""

import importlib.util
from collections.abc import Mapping, Sequence
from types import ModuleType
from typing import Any

from torch import Tensor, nn

from models.architectures.errors import BadConfiguration, UnknownArchitecture

PREFIX = "transformers/"
"""Beginning of the names of these networks."""
DROPPED = (
    "_name_or_path",
    "_attn_implementation",
    "_experts_implementation",
    "attn_implementation",
    "auto_map",
    "dtype",
    "torch_dtype",
    "model_type",
    "quantization_config",
    "return_dict",
    "transformers_version",
    "use_cache",
)
"""Entries of a config.json that a network for inference in float32 does not need, or that name code or other files."""


class Transformers(nn.Module):
    """A network of transformers: pixels [n, c, h, w] to logits [n, k]. Its keys begin with `network.`."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, pixels: Tensor) -> Tensor:
        logits: Tensor = self.network(pixels).logits
        return logits


MOST = {("depth", "layer", "block", "stage"): 1000, ("image_size", "patch", "window"): 2048}
"""Largest numbers of the entries of a configuration whose names have one of these words."""
LARGEST = 1_000_000
"""Largest number of any other entry."""


def transformers() -> ModuleType:
    """The library; raises UnknownArchitecture, which says how to install it."""
    if importlib.util.find_spec("transformers") is None:
        raise UnknownArchitecture("networks of transformers need the package transformers: pip install transformers")
    import transformers

    return transformers


def build(architecture: str, classes: int, *, channels: int, configuration: Mapping[str, Any]) -> nn.Module:
    """A network of transformers with freshly initialised weights, from its config.json without DROPPED.

    Raises UnknownArchitecture, BadConfiguration.
    """
    library, kind = transformers(), architecture.removeprefix(PREFIX)
    from transformers.models.auto.modeling_auto import MODEL_FOR_IMAGE_CLASSIFICATION_MAPPING_NAMES

    classes_of_kind = MODEL_FOR_IMAGE_CLASSIFICATION_MAPPING_NAMES.get(kind)
    if classes_of_kind is None or kind == "timm_wrapper":
        kinds = ", ".join(name for name in MODEL_FOR_IMAGE_CLASSIFICATION_MAPPING_NAMES if name != "timm_wrapper")
        raise UnknownArchitecture(f"transformers has no image classifier of the type {kind[:100]!r}; it has: {kinds}")
    if unwanted := sorted(_dropped(configuration)):
        raise BadConfiguration(f"the configuration of {architecture} has {', '.join(unwanted)}: import the model again")
    _check_sizes(architecture, configuration)
    values = {**configuration, "num_labels": classes}
    values |= {} if channels == 3 else {"num_channels": channels}
    values.pop("id2label", None), values.pop("label2id", None)
    try:
        config = library.AutoConfig.for_model(kind, **values)
        network = _from_config(config, _class_name(classes_of_kind, configuration))
    except Exception as error:  # transformers raises nearly anything on a configuration that it cannot follow
        raise BadConfiguration(f"transformers cannot build {architecture} ({type(error).__name__}: {error})") from error
    return Transformers(network)


def _check_sizes(architecture: str, configuration: Mapping[str, Any]) -> None:
    """Raise BadConfiguration for sizes with which transformers would compute for hours before it makes a weight."""
    for key, value in configuration.items():
        most = next((most for words, most in MOST.items() if any(word in key for word in words)), LARGEST)
        pending: list[Any] = [value]
        for each in pending:
            if isinstance(each, list | tuple):
                pending.extend(each)
            elif isinstance(each, Mapping):
                _check_sizes(architecture, each)
            elif isinstance(each, int) and abs(each) > most:
                raise BadConfiguration(
                    f"the configuration of {architecture} has {key}={each}: at most {most:,} is known"
                )


def without_dropped(configuration: Mapping[str, Any]) -> dict[str, Any]:
    """A configuration, and those inside it, without DROPPED; the latter keep `model_type`, which says their kind."""
    return {key: _inner(value) for key, value in configuration.items() if key not in DROPPED}


def _inner(value: Any) -> Any:
    if not isinstance(value, Mapping):
        return value
    kind = {"model_type": value["model_type"]} if "model_type" in value else {}
    return {**without_dropped(value), **kind}


def _dropped(configuration: Mapping[str, Any]) -> set[str]:
    """The names of DROPPED that a configuration, or one inside it, has."""
    inside = [_dropped(value) - {"model_type"} for value in configuration.values() if isinstance(value, Mapping)]
    return (set(configuration) & set(DROPPED)).union(*inside)


def _class_name(classes: str | Sequence[str], configuration: Mapping[str, Any]) -> str:
    """The class of the network: of several (DeiT with and without a teacher) the one that the configuration names."""
    choices = (classes,) if isinstance(classes, str) else tuple(classes)
    named = [name for name in configuration.get("architectures") or () if name in choices]
    return named[0] if named else choices[0]


def _from_config(config: Any, class_name: str) -> nn.Module:
    """The network with PyTorch's own attention: other implementations may be downloaded, and not all have gradients."""
    make = getattr(transformers(), class_name)._from_config
    try:
        network: nn.Module = make(config, attn_implementation="sdpa")
    except ValueError:  # written out step by step for networks that have no other
        network = make(config, attn_implementation="eager")
    return network

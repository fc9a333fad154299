"""Building a network by the name of its architecture."""

from collections.abc import Mapping
from typing import Any

from torch import nn

from models.architectures import registered, timm_networks, torchvision_networks, transformers_networks
from models.architectures.errors import BadConfiguration, UnknownArchitecture
from models.program.graph import BadProgram, parse
from models.program.network import Program

EXPORTED = "exported"
"""Name of the architecture of a program; its configuration is the program's graph."""
NOT_REGISTERED = (
    "the network {architecture!r} is unknown here: if it is one of your own, install the package that registers it "
    f"(entry point group {registered.GROUP}), or set MIRAGE_ARCHITECTURES=package.module:function; if it is meant to "
    "be one of torchvision's, {error}"
)
"""Why a network cannot be built by a name that no library knows, and what to do."""
NOTHING: Mapping[str, Any] = {}


def build(
    architecture: str,
    classes: int,
    *,
    channels: int = 3,
    published: bool = False,
    configuration: Mapping[str, Any] = NOTHING,
) -> nn.Module:
    """A network in eval mode with freshly initialised weights: pixels [n, channels, h, w] to logits [n, classes].

    The head of a network of torchvision is linear in `features` and has a bias, so that `set_head` can write a linear
    classifier into it. With `published` it is as torchvision's published weights need it: MaxViT's has no bias, and a
    ReLU follows SqueezeNet's. `configuration` is plain JSON that the kind of architecture defines. Raises
    UnknownArchitecture, BadConfiguration, BadRegistration.
    """
    if architecture.startswith(timm_networks.PREFIX):
        network = timm_networks.build(architecture, classes, channels=channels, configuration=configuration)
    elif architecture.startswith(transformers_networks.PREFIX):
        network = transformers_networks.build(architecture, classes, channels=channels, configuration=configuration)
    elif architecture == EXPORTED:
        network = _program(configuration)
    elif architecture != "mobilenet_v2" and architecture in registered.registered():
        if configuration:
            raise BadConfiguration(f"{architecture} is registered by its name, and takes no configuration")
        network = registered.build(architecture, classes)
    else:
        given = {**configuration, **({"published": True} if published else {})}
        try:
            network = torchvision_networks.build(architecture, classes, channels=channels, configuration=given)
        except UnknownArchitecture as error:
            raise UnknownArchitecture(NOT_REGISTERED.format(architecture=architecture[:100], error=error)) from error
    return network.eval()


def _program(configuration: Mapping[str, Any]) -> nn.Module:
    try:
        return Program(parse(configuration))
    except BadProgram as error:
        raise BadConfiguration(str(error)) from error

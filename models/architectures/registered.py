"""Networks of the user's own, which a package or a module registers by name.

A package has an entry point in the group `mirage.architectures`; without a package, `register("package.module:name")`
does the same. Either leads to a function without arguments that returns a mapping from the names of architectures to
functions `build(classes)`, which return a network: float32 pixels [n, c, h, w] to class scores [n, classes].
"""

import importlib
import logging
from collections.abc import Callable, Mapping
from functools import cache
from importlib import metadata

from torch import nn

from models.architectures.errors import UnknownArchitecture
from models.architectures.torchvision_networks import architectures

logger = logging.getLogger(__name__)
GROUP = "mirage.architectures"
"""Group of the entry points."""
Build = Callable[[int], nn.Module]
"""From the number of classes to a network."""

_added: dict[str, Build] = {}


class BadRegistration(ValueError):
    """What is registered cannot be imported, or is no mapping from names to functions."""


def register(source: str) -> None:
    """Add the architectures of the function `package.module:function`; raises BadRegistration."""
    module, _, name = source.partition(":")
    if not module or not name:
        raise BadRegistration(f"architectures are registered by package.module:function, not by {source[:200]!r}")
    try:
        function = getattr(importlib.import_module(module), name)
    except Exception as error:  # the module is anybody's, and may raise anything
        raise BadRegistration(f"the architectures of {source} cannot be imported: {_text(error)}") from error
    _added.update(_mapping(function, source))


def _text(error: Exception) -> str:
    """The error, with its type where that is needed to understand it."""
    return str(error) if isinstance(error, ImportError | AttributeError) else f"{type(error).__name__}: {error}"


def registered() -> Mapping[str, Build]:
    """The registered architectures by name. A package that cannot be imported is logged, and left out."""
    return {**_of_packages(), **_added}


def build(architecture: str, classes: int) -> nn.Module:
    """A network that was registered; raises UnknownArchitecture, BadRegistration."""
    known = registered()
    if architecture not in known:
        raise UnknownArchitecture(f"no architecture {architecture[:100]!r} is registered")
    try:
        network = known[architecture](classes)
    except Exception as error:  # the function is anybody's, and may raise anything
        raise BadRegistration(
            f"the function registered for {architecture} fails for {classes} classes ({_text(error)})"
        ) from error
    if not isinstance(network, nn.Module):
        raise BadRegistration(f"the function registered for {architecture} returned no torch.nn.Module")
    return network


@cache
def _of_packages() -> Mapping[str, Build]:
    found: dict[str, Build] = {}
    for entry in metadata.entry_points(group=GROUP):
        source = f"{entry.name} = {entry.value}"
        try:
            found.update(_mapping(entry.load(), source))
        except Exception as error:  # another package's import may raise anything, and must not stop other models
            logger.error("the entry point %s of the group %s cannot be used: %s", source, GROUP, error)
    return found


def _mapping(function: object, source: str) -> Mapping[str, Build]:
    try:
        mapping = function() if callable(function) else None
    except Exception as error:
        raise BadRegistration(f"{source} cannot be called without arguments: {_text(error)}") from error
    valid = isinstance(mapping, Mapping) and all(
        isinstance(name, str) and name and callable(build) for name, build in mapping.items()
    )
    if not valid:
        raise BadRegistration(
            f"{source} is no function without arguments that returns a mapping from names to functions of the number "
            "of classes"
        )
    assert isinstance(mapping, Mapping)
    # Checkpoints of torchvision's networks name them in the same way.
    if taken := sorted(name for name in mapping if "/" in name or name == "exported" or name in architectures()):
        raise BadRegistration(f"{source} registers {', '.join(taken)}: choose names without a slash that are not taken")
    return mapping

"""Networks of the user's own, which a package or a module registers by name.

A package has an entry point in the group `mirage.architectures`; without a package, `register("package.module:name")`
does the same. Either leads to a function without arguments that returns a mapping from the names of architectures to
functions `build(classes)`, which return a network: float32 pixels [n, c, h, w] to class scores [n, classes].
"""

import importlib
from collections.abc import Callable, Mapping
from functools import cache
from importlib import metadata

from torch import nn

from models.architectures.errors import UnknownArchitecture

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
    except (ImportError, AttributeError) as error:
        raise BadRegistration(f"the architectures of {source} cannot be imported: {error}") from error
    _added.update(_mapping(function, source))


def registered() -> Mapping[str, Build]:
    """The registered architectures by name; raises BadRegistration."""
    return {**_of_packages(), **_added}


def build(architecture: str, classes: int) -> nn.Module:
    """A network that was registered; raises UnknownArchitecture, BadRegistration."""
    known = registered()
    if architecture not in known:
        raise UnknownArchitecture(f"no architecture {architecture[:100]!r} is registered")
    network = known[architecture](classes)
    if not isinstance(network, nn.Module):
        raise BadRegistration(f"the function registered for {architecture} returned no torch.nn.Module")
    return network


@cache
def _of_packages() -> Mapping[str, Build]:
    found: dict[str, Build] = {}
    for entry in metadata.entry_points(group=GROUP):
        try:
            function = entry.load()
        except Exception as error:  # another package's import may raise anything
            raise BadRegistration(f"the entry point {entry.name} = {entry.value} cannot be loaded: {error}") from error
        found.update(_mapping(function, f"{entry.name} = {entry.value}"))
    return found


def _mapping(function: object, source: str) -> Mapping[str, Build]:
    mapping = function() if callable(function) else None
    valid = isinstance(mapping, Mapping) and all(
        isinstance(name, str) and name and callable(build) for name, build in mapping.items()
    )
    if not valid:
        raise BadRegistration(
            f"{source} is no function without arguments that returns a mapping from names to functions of the number "
            "of classes"
        )
    assert isinstance(mapping, Mapping)
    return mapping

"""Following a network with torch.fx while other threads run networks."""

import threading
from collections.abc import Callable
from typing import Any

from torch import fx, nn


class Tracer(fx.Tracer):
    """torch.fx's tracer, which leaves networks alone that other threads run meanwhile.

    torch.fx replaces `__call__` and `__getattr__` of all modules while it follows one, whatever thread calls them: the
    pass of another network would be recorded, or fail. So calls by other threads are passed on as they are. Afterwards
    the tracer does not hold the network any more: it is part of a cycle of references, and would keep the network in
    memory until Python searches for cycles the next time.
    """

    def __init__(self) -> None:
        super().__init__()
        self._thread = threading.get_ident()

    def trace(self, root: nn.Module | Callable[..., Any], concrete_args: dict[str, Any] | None = None) -> fx.Graph:
        """The graph of the network; raises nearly anything where it cannot be followed."""
        try:
            graph = super().trace(root, concrete_args)
            for node in graph.nodes:
                # torch.fx keeps the globals of all code with such functions for ever, to follow that code later on:
                # with them, the weights in other layouts that functions of `models.fused` hold.
                node.meta.pop("is_wrapped", None)
            return graph
        finally:
            self.root = nn.Module()
            self.submodule_paths = None

    def call_module(
        self, m: nn.Module, forward: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        """What torch.fx calls in place of a module."""
        if threading.get_ident() != self._thread:
            return forward(*args, **kwargs)
        return super().call_module(m, forward, args, kwargs)

    def getattr(self, attr: str, attr_val: Any, parameter_proxy_cache: dict[str, fx.Proxy]) -> Any:
        """What torch.fx calls where a module's attribute is read."""
        if threading.get_ident() != self._thread:
            return attr_val
        return super().getattr(attr, attr_val, parameter_proxy_cache)

"""A network as one flat function, which takes less of Python's time than its nested layers."""

import logging
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, fx, nn

logger = logging.getLogger(__name__)
Function = Callable[[Tensor], Tensor]


class _Inlining(fx.Tracer):
    """Follows every layer to the functions that it calls."""

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return False


def unroll(network: nn.Module, pixels: Tensor) -> Function | None:
    """The network's forward pass without gradients as one function, or None where there is none that is the same.

    Calls of nested layers take a millisecond of MobileNetV2's pass (docs/decisions/0036). The network is in eval mode,
    and its weights do not change. Hooks of its layers are not called. The function has to give the same logits, bit for
    bit, for `pixels` and for the first of them alone; torch.fx cannot follow networks whose code depends on values.
    """
    try:
        with torch.no_grad():
            function = _flat(network)
            same = all(torch.equal(function(some), network(some)) for some in (pixels, pixels[:1]))
    except Exception as error:  # torch.fx raises nearly anything on code that it cannot follow
        logger.info("the layers of %s are not unrolled: %s", type(network).__name__, error)
        return None
    if not same:
        logger.warning("unrolling the layers of %s changes its logits: it is left as it is", type(network).__name__)
        return None
    return function


def _flat(network: nn.Module) -> Function:
    module = fx.GraphModule(network, _Inlining().trace(network))
    for number, node in enumerate(module.graph.nodes):
        if node.op == "get_attr":
            # A plain attribute: a module looks for its parameters last, layer by layer.
            value = _attribute(module, str(node.target))
            node.target = f"constant_{number}"
            module.__dict__[node.target] = value
    module.recompile()
    return module


def _attribute(module: nn.Module, path: str) -> Any:
    owner, _, name = path.rpartition(".")
    return getattr(module.get_submodule(owner), name)

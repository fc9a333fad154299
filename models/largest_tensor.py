"""A limit for the size of tensors that code from elsewhere makes, which holds before there is memory for them."""

from typing import Any

import torch
from torch import Tensor
from torch._ops import OpOverload
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map_only


class TooLarge(ValueError):
    """A network with more numbers than it may have."""


class LargestTensor(TorchDispatchMode):
    """Raises TooLarge in the `with` block for a tensor of more than `most` elements.

    The size of a result is found on the device `meta`, where tensors take no memory. An operator that cannot be called
    there, because its result depends on values, is called without a look at its size.
    """

    def __init__(self, most: int) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.most = most

    def __torch_dispatch__(self, func: OpOverload, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        given = dict(kwargs or {})
        tensors = [value for value in tree_leaves((args, given)) if isinstance(value, Tensor)]
        if not tensors or not all(tensor.is_meta for tensor in tensors):
            self._check(_on_meta(func, args, given))
        result = func(*args, **given)
        self._check(result)
        return result

    def _check(self, result: Any) -> None:
        for value in tree_leaves(result):
            if isinstance(value, Tensor) and value.numel() > self.most:
                shape = " x ".join(map(str, value.shape))
                raise TooLarge(f"the network makes a tensor of {shape} numbers, which is too large")


def _on_meta(func: OpOverload, args: Any, kwargs: dict[str, Any]) -> Any:
    """The result without values; None where it depends on values."""
    args, kwargs = tree_map_only(Tensor, lambda tensor: tensor.to("meta"), (args, kwargs))
    if any(argument.name == "device" for argument in func._schema.arguments):
        kwargs["device"] = torch.device("meta")
    try:
        return func(*args, **kwargs)
    except (RuntimeError, NotImplementedError, ValueError, TypeError, IndexError):
        return None

"""Following a network on one thread does not disturb others."""

import gc
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor

import torch
from torch import Tensor, nn

from models.tracing import Tracer


class Slow(nn.Module):
    """Doubles its input, and stops in the middle of its pass until it may go on."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Identity()
        self.reached, self.may_go_on = threading.Event(), threading.Event()

    def forward(self, values: Tensor) -> Tensor:
        self.reached.set()
        assert self.may_go_on.wait(60)
        return self.layer(values) * 2


def test_other_networks_run_while_one_is_followed() -> None:
    """A linear layer inside another module gives its product, and the graph has none of its calls."""
    slow, linear = Slow(), nn.Sequential(nn.Linear(3, 2))
    values = torch.randn(5, 3)
    expected = linear(values)
    with ThreadPoolExecutor(1) as pool:
        graph = pool.submit(lambda: Tracer().trace(slow))
        assert slow.reached.wait(60)
        try:
            assert torch.equal(linear(values), expected)
            assert linear[0].weight is linear.get_parameter("0.weight")
        finally:
            slow.may_go_on.set()
        assert [node.op for node in graph.result(60).nodes] == [
            "placeholder",
            "call_module",
            "call_function",
            "output",
        ]


def test_the_network_is_not_held_afterwards() -> None:
    """Without a search for cycles of references."""
    network = nn.Sequential(nn.Linear(3, 2))
    held = weakref.ref(network)
    gc.disable()
    try:
        Tracer().trace(network)
        del network
        assert held() is None
    finally:
        gc.enable()

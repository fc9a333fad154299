"""The group of processes that train one network: a single process, or several that torchrun started."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol, TypeVar

import torch
import torch.distributed as distributed
from jaxtyping import Shaped
from torch import Tensor, nn

Value = TypeVar("Value")


class NoProcessGroup(RuntimeError):
    """Several processes were started, and the package that connects them is not installed."""


class ProcessGroup(Protocol):
    """The processes as one of them sees them: `rank` is its own, from 0 to `size` - 1. Only rank 0 writes files."""

    rank: int
    size: int
    device: torch.device

    def join(self, network: nn.Module) -> nn.Module:
        """The network, so wrapped that its backward passes average the gradients of all processes."""
        ...

    def backward(self, loss: Tensor) -> None:
        """Add the gradients of the loss, averaged over all processes, to those of the parameters."""
        ...

    def mean(self, loss: Tensor) -> Tensor:
        """The mean of the losses of all processes."""
        ...

    def share(self, value: Value) -> Value:
        """The value of rank 0, for all processes."""
        ...

    def collect(self, rows: Shaped[Tensor, "n *shape"]) -> Shaped[Tensor, "all *shape"]:
        """The rows of all processes. Row i of the result is from rank i modulo `size`, as the rows were dealt out."""
        ...

    def align(self, network: nn.Module) -> None:
        """Copy the buffers of rank 0 to all processes, whose batch statistics are of different photos."""
        ...

    def in_turn(self) -> Any:
        """A context that rank 0 of each machine runs before the other processes of that machine do."""
        ...


class SingleProcess:
    """A group of one process, which needs no other package."""

    rank, size = 0, 1

    def __init__(self, device: torch.device) -> None:
        self.device = device

    def join(self, network: nn.Module) -> nn.Module:
        """The network itself."""
        return network

    def backward(self, loss: Tensor) -> None:
        """Add the gradients of the loss."""
        loss.backward()

    def mean(self, loss: Tensor) -> Tensor:
        """The loss itself."""
        return loss

    def share(self, value: Value) -> Value:
        """The value itself."""
        return value

    def collect(self, rows: Tensor) -> Tensor:
        """The rows themselves."""
        return rows

    def align(self, network: nn.Module) -> None:
        """Nothing to do."""

    @contextmanager
    def in_turn(self) -> Iterator[None]:
        """Run it at once."""
        yield


class DistributedProcesses:
    """Data-parallel processes that torchrun started. Lightning Fabric finds their devices and averages gradients."""

    def __init__(self, device: torch.device) -> None:
        try:
            from lightning_fabric import Fabric
        except ImportError as error:
            raise NoProcessGroup("several processes need another package: pip install lightning-fabric") from error
        # These variables are the only way in which torchrun tells a process its place.
        on_this_machine, in_total = int(os.environ["LOCAL_WORLD_SIZE"]), int(os.environ["WORLD_SIZE"])
        self.fabric = Fabric(
            accelerator=device.type,
            devices=on_this_machine,
            num_nodes=in_total // on_this_machine,
            strategy="ddp",
            precision="32-true",
        )
        self.fabric.launch()
        self.rank, self.size, self.device = self.fabric.global_rank, self.fabric.world_size, self.fabric.device

    def join(self, network: nn.Module) -> nn.Module:
        """The network in DDP; its weights are those of the network itself, under their own keys."""
        joined: nn.Module = self.fabric.setup_module(network, move_to_device=False)
        return joined

    def backward(self, loss: Tensor) -> None:
        """Add the gradients of the loss, averaged over all processes."""
        self.fabric.backward(loss)

    def mean(self, loss: Tensor) -> Tensor:
        """The mean of the losses of all processes, each of its own share of a batch."""
        mean = self.fabric.all_reduce(loss, reduce_op="mean")
        assert isinstance(mean, Tensor)
        return mean

    def share(self, value: Value) -> Value:
        """The value of rank 0, sent to all processes."""
        shared: Value = self.fabric.broadcast(value)
        return shared

    def collect(self, rows: Tensor) -> Tensor:
        """The rows of all processes in their original order; each row once, without the padding of a sampler."""
        parts: list[Tensor] = [rows] * self.size
        distributed.all_gather_object(parts, rows)
        whole = rows.new_empty(sum(map(len, parts)), *rows.shape[1:])
        for rank, part in enumerate(parts):
            whole[rank :: self.size] = part
        return whole

    def align(self, network: nn.Module) -> None:
        """Copy the buffers of rank 0, in one message per dtype, since robust training needs this at every step."""
        for kind in dict.fromkeys(buffer.dtype for buffer in network.buffers()):  # in the same order everywhere
            buffers = [buffer for buffer in network.buffers() if buffer.dtype == kind]
            values = torch.cat([buffer.flatten() for buffer in buffers])
            distributed.broadcast(values, src=0)
            for buffer, part in zip(buffers, values.split([buffer.numel() for buffer in buffers]), strict=True):
                buffer.copy_(part.view_as(buffer))

    @contextmanager
    def in_turn(self) -> Iterator[None]:
        """Run it on rank 0 of each machine first: the others then find its results in the cache."""
        with self.fabric.rank_zero_first(local=True):
            yield


def start_process_group(device: torch.device) -> ProcessGroup:
    """The group of this process; raises NoProcessGroup."""
    return DistributedProcesses(device) if launched() else SingleProcess(device)


def launched() -> str:
    """A name of the torchrun that has started this process; empty without one."""
    if not (distributed.is_available() and distributed.is_torchelastic_launched()):
        return ""
    return f"{os.environ['TORCHELASTIC_RUN_ID']} {os.getppid()}"


def was_restarted() -> bool:
    """Whether torchrun has started this process again after a worker was lost."""
    return int(os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")) > 0

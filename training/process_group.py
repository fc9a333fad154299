"""The processes that train one network together: one alone, or many under torchrun through Lightning Fabric."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol, TypeVar

import torch
import torch.distributed as distributed
from jaxtyping import Shaped
from torch import Tensor, nn

Found = TypeVar("Found")


class NoProcessGroup(RuntimeError):
    """Several processes were started, and what lets them work together is not there."""


class ProcessGroup(Protocol):
    """What a process knows of the others; `rank` counts from 0 to `size` - 1, and rank 0 alone writes files."""

    rank: int
    size: int
    device: torch.device

    def join(self, network: nn.Module) -> nn.Module:
        """The network whose backward passes average gradients over the group."""
        ...

    def backward(self, loss: Tensor) -> None:
        """Add the loss's gradients."""
        ...

    def mean(self, loss: Tensor) -> Tensor:
        """The mean over the group."""
        ...

    def share(self, found: Found) -> Found:
        """What rank 0 has, for all."""
        ...

    def collect(self, rows: Shaped[Tensor, "n *shape"]) -> Shaped[Tensor, "all *shape"]:
        """The rows of all: rank 0 had the first, the one after the last of the team the next, and so on."""
        ...

    def align(self, network: nn.Module) -> None:
        """Give all the buffers that rank 0 has: in the last step each has seen the statistics of its own photos."""
        ...

    def in_turn(self) -> Any:
        """A context that rank 0 of each machine goes through before its others do."""
        ...


class SingleProcess:
    """A team of one, that needs no other package."""

    rank, size = 0, 1

    def __init__(self, device: torch.device) -> None:
        self.device = device

    def join(self, network: nn.Module) -> nn.Module:
        """The network itself."""
        return network

    def backward(self, loss: Tensor) -> None:
        """Add the loss's gradients."""
        loss.backward()

    def mean(self, loss: Tensor) -> Tensor:
        """The loss itself."""
        return loss

    def share(self, found: Found) -> Found:
        """What was found."""
        return found

    def collect(self, rows: Tensor) -> Tensor:
        """The rows themselves."""
        return rows

    def align(self, network: nn.Module) -> None:
        """Nothing to do."""

    @contextmanager
    def in_turn(self) -> Iterator[None]:
        """At once."""
        yield


class DistributedProcesses:
    """Data-parallel processes that torchrun started: Fabric finds their devices and averages their gradients (DDP)."""

    def __init__(self, device: torch.device) -> None:
        try:
            from lightning_fabric import Fabric
        except ImportError as error:
            raise NoProcessGroup(
                "torchrun started several processes: pip install 'mirage-vision[distributed]' first"
            ) from error
        # torchrun tells its processes where they are by these variables, and by nothing else.
        here, everywhere = int(os.environ["LOCAL_WORLD_SIZE"]), int(os.environ["WORLD_SIZE"])
        self.fabric = Fabric(
            accelerator=device.type, devices=here, num_nodes=everywhere // here, strategy="ddp", precision="32-true"
        )
        self.fabric.launch()
        self.rank, self.size, self.device = self.fabric.global_rank, self.fabric.world_size, self.fabric.device

    def join(self, network: nn.Module) -> nn.Module:
        """The network in DDP; its weights, and so its keys, stay those of the one given."""
        joined: nn.Module = self.fabric.setup_module(network, move_to_device=False)
        return joined

    def backward(self, loss: Tensor) -> None:
        """Add the mean over the team of the loss's gradients."""
        self.fabric.backward(loss)

    def mean(self, loss: Tensor) -> Tensor:
        """The mean over the group: each has the loss of its own share of a batch."""
        mean = self.fabric.all_reduce(loss, reduce_op="mean")
        assert isinstance(mean, Tensor)
        return mean

    def share(self, found: Found) -> Found:
        """Rank 0's, sent to all."""
        shared: Found = self.fabric.broadcast(found)
        return shared

    def collect(self, rows: Tensor) -> Tensor:
        """The rows of all, dealt back as cards were dealt out: no sampler's padding, each row once."""
        parts: list[Tensor] = [rows] * self.size
        distributed.all_gather_object(parts, rows)
        whole = rows.new_empty(sum(map(len, parts)), *rows.shape[1:])
        for rank, part in enumerate(parts):
            whole[rank :: self.size] = part
        return whole

    def align(self, network: nn.Module) -> None:
        """Rank 0's buffers, for all: in one message for each kind of number, as robust training asks at every step."""
        for kind in dict.fromkeys(buffer.dtype for buffer in network.buffers()):  # in one order for all
            buffers = [buffer for buffer in network.buffers() if buffer.dtype == kind]
            values = torch.cat([buffer.flatten() for buffer in buffers])
            distributed.broadcast(values, src=0)
            for buffer, part in zip(buffers, values.split([buffer.numel() for buffer in buffers]), strict=True):
                buffer.copy_(part.view_as(buffer))

    @contextmanager
    def in_turn(self) -> Iterator[None]:
        """Rank 0 of each machine first: what it leaves in the cache spares the others the work."""
        with self.fabric.rank_zero_first(local=True):
            yield


def start_process_group(device: torch.device) -> ProcessGroup:
    """The team that this process is in; raises NoProcessGroup."""
    return DistributedProcesses(device) if launched() else SingleProcess(device)


def launched() -> str:
    """Names the torchrun that has started this process; empty without one."""
    if not (distributed.is_available() and distributed.is_torchelastic_launched()):
        return ""
    return f"{os.environ['TORCHELASTIC_RUN_ID']} {os.getppid()}"


def was_restarted() -> bool:
    """Whether torchrun has started this process again after a worker was lost."""
    return int(os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")) > 0

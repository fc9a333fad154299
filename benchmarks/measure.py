"""What the benchmarks share: the machine in words, and the comparison of variants by interleaved repeats."""

import platform
import random
import re
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
import torchvision

from models.classifier import choose_device
from models.query import Answer, Network, Query


@dataclass(frozen=True)
class Machine:
    """The processor or accelerator, its threads, and the versions of the libraries that decide about speed."""

    processor: str
    features: str
    """The instruction sets that PyTorch uses: such as `avx2`, `avx512` or `avx512 amx`."""
    threads: int
    accelerator: str | None
    versions: str

    @property
    def text(self) -> str:
        """The machine in one line."""
        processor = f"{self.processor} ({self.features}), {self.threads} threads"
        return "; ".join(part for part in (self.accelerator, processor, self.versions) if part)

    @property
    def slug(self) -> str:
        """A name for files: what decides about the speed."""
        words = self.accelerator or f"{self.processor.split()[0]} {self.features} {self.threads} threads"
        return re.sub(r"[^a-z0-9]+", "-", words.lower()).strip("-")


def describe_machine(device: torch.device | None = None) -> Machine:
    """This machine; with its accelerator if `device` is one, or if it is None and there is one."""
    device = choose_device() if device is None else device
    information = Path("/proc/cpuinfo")
    text = information.read_text() if information.exists() else ""
    models = re.findall(r"model name\s*: (.*)", text)
    capability = torch.backends.cpu.get_cpu_capability().lower()
    versions = f"torch {torch.__version__}, torchvision {torchvision.__version__}, Python {platform.python_version()}"
    return Machine(
        processor=models[0].strip() if models else platform.processor() or platform.machine(),
        features=f"{capability} amx" if capability == "avx512" and "amx_tile" in text else capability,
        threads=torch.get_num_threads(),
        accelerator=torch.cuda.get_device_name(device) if device.type == "cuda" else None,
        versions=f"{versions}; {platform.system()}",
    )


def machine(device: torch.device) -> str:
    """The machine in one line."""
    return describe_machine(device).text


@dataclass(frozen=True)
class Timing:
    """Seconds of one variant in each round."""

    seconds: list[float]

    @property
    def median(self) -> float:
        """The median of the rounds."""
        return statistics.median(self.seconds)

    def ratio(self, base: "Timing") -> tuple[float, float, float]:
        """The ratio of this variant's time to the base's in the same round: median, minimum and maximum."""
        ratios = [mine / theirs for mine, theirs in zip(self.seconds, base.seconds, strict=True)]
        return statistics.median(ratios), min(ratios), max(ratios)


def interleaved(
    variants: Mapping[str, Callable[[], object]], *, rounds: int, device: torch.device
) -> dict[str, Timing]:
    """Time every variant once a round, in random order, so that a machine that slows down affects all equally."""
    seconds: dict[str, list[float]] = {name: [] for name in variants}
    order = random.Random(0)
    for run in variants.values():
        run()  # lazy initialisation, caches
    for _ in range(rounds):
        for name in order.sample(list(variants), len(variants)):
            synchronise(device)
            begun = time.perf_counter()
            variants[name]()
            synchronise(device)
            seconds[name].append(time.perf_counter() - begun)
    return {name: Timing(repeats) for name, repeats in seconds.items()}


class Stopwatch:
    """A network that adds up the seconds of its answers; of no use on an accelerator, whose passes are asynchronous."""

    def __init__(self, network: Network) -> None:
        self.network, self.seconds = network, 0.0

    def answer(self, queries: list[Query]) -> list[Answer]:
        """Return the network's answers and add their seconds."""
        begun = time.perf_counter()
        answers = self.network.answer(queries)
        self.seconds += time.perf_counter() - begun
        return answers


def synchronise(device: torch.device) -> None:
    """Wait until the device has finished all its work, so that a clock can be read."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)

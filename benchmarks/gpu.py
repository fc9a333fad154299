"""One accelerator: passes in several precisions and layouts, many attacks and classifications at once, memory.

    make gpu                                        the tests for a GPU, then this script, in at most 8 minutes
    python -m benchmarks.gpu --device cpu --quick   the same code on a CPU, to see that it runs

Each part writes its figures as soon as it is measured, so a run that is cut off keeps what it has. The network is the
bundled cats-dogs, the picture scikit-image's chelsea with a little noise, another one for each task.
"""

import argparse
import copy
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from app.engine.engine import Engine
from benchmarks.measure import interleaved, machine, synchronise
from benchmarks.parts import SKIPPED
from benchmarks.results import Figure, write_figures
from models.attacks.task import Adversarial, adversarial
from models.classifier import Classifier, choose_device
from models.classify import classify
from models.pictures import decode
from models.preprocessing import preprocess, to_float
from models.query import Answer, Query, Task
from models.store import Model, load

PHOTO = Path(__file__).parent.parent / "docs" / "pictures" / "chelsea.png"
EPSILON = 2 / 255


def photos(count: int, device: torch.device) -> list[Tensor]:
    """The photo with `count` different faint noises, uint8 [3, h, w] on the device."""
    photo, random = decode(PHOTO.read_bytes()).int(), torch.Generator().manual_seed(0)
    noises = (torch.randint(-2, 3, photo.shape, generator=random) for _ in range(count))
    return [(photo + noise).clamp(0, 255).to(torch.uint8).to(device) for noise in noises]


@contextmanager
def tf32() -> Iterator[None]:
    """Convolutions and products may round their factors to TF32, which has 10 bits of precision."""
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = True
    try:
        yield
    finally:
        torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False


def variants(classifier: Classifier, pixels: Tensor) -> dict[str, Callable[[], tuple[Tensor, Tensor]]]:
    """Functions that return logits and the gradients of the first logits, in each precision and layout."""
    device = classifier.device

    def eager(
        settings: Callable[[], AbstractContextManager[object]], rows: Tensor, network: nn.Module = classifier.network
    ) -> tuple[Tensor, Tensor]:
        leaf = rows.detach().requires_grad_()
        with settings():
            logits = network(leaf).float()
        return logits.detach(), torch.autograd.grad(logits[:, 0].sum(), leaf)[0]

    contiguous = copy.deepcopy(classifier.network).to(memory_format=torch.contiguous_format)
    last = pixels.to(memory_format=torch.channels_last)
    bf16 = partial(torch.autocast, device.type, torch.bfloat16)
    calls: dict[str, Callable[[], tuple[Tensor, Tensor]]] = {
        "float32, channels_last": partial(eager, nullcontext, last),
        "float32, contiguous": partial(eager, nullcontext, pixels.contiguous(), contiguous),
        "bfloat16, channels_last": partial(eager, bf16, last),
    }
    if device.type == "cuda":
        calls["TF32, channels_last"] = partial(eager, tf32, last)
        calls["float32, channels_last, as a CUDA graph"] = cuda_graph(calls["float32, channels_last"])
    return calls


def cuda_graph(run: Callable[[], tuple[Tensor, Tensor]]) -> Callable[[], tuple[Tensor, Tensor]]:
    """The same work, recorded once and then replayed with a single call of the driver."""
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(3):
            run()
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        results = run()

    def replay() -> tuple[Tensor, Tensor]:
        graph.replay()
        return results

    return replay


def measure_passes(model: Model, rows: list[int], rounds: int) -> Iterator[Figure]:
    """Pictures per second of a pass with gradients, and how far logits and gradients are from those in float32."""
    device = model.classifier.device
    for count in rows:
        pixels = torch.cat([preprocess(to_float(photo)[None], model.spec) for photo in photos(count, device)])
        calls = variants(model.classifier, pixels)
        timings = interleaved(calls, rounds=rounds, device=device)
        logits, gradients = (part.clone() for part in calls["float32, channels_last"]())
        for name, call in calls.items():
            others = call()
            seconds = timings[name].seconds
            yield Figure(f"{count} rows, pass with gradients, {name}", "pictures/s", [count / time for time in seconds])
            if name != "float32, channels_last":
                difference = (others[0] - logits).abs().max().item()
                cosine = torch.cosine_similarity(others[1].flatten(1), gradients.flatten(1)).min().item()
                yield Figure(f"{count} rows, largest difference of logits, {name}", "logits", [difference])
                yield Figure(f"{count} rows, smallest cosine of gradients, {name}", "", [cosine])


class Rounded:
    """A classifier whose passes run under the settings of a variant; the attack does not know."""

    def __init__(self, classifier: Classifier, settings: Callable[[], AbstractContextManager[object]]) -> None:
        self.classifier, self.settings = classifier, settings

    def answer(self, queries: list[Query]) -> list[Answer]:
        """The classifier's answers; in bfloat16 logits come back as float32."""
        with self.settings():
            return self.classifier.answer(queries)


def attack(picture: Tensor, model: Model) -> Task[Adversarial]:
    """PGD with 40 steps within 2/255."""
    return adversarial(picture, model.spec, attack="pgd", epsilon=EPSILON, steps=40)


def measure_success(model: Model, count: int) -> Iterator[Figure]:
    """How many pictures an attack that runs in another precision fools, by the verdict in float32."""
    device = model.classifier.device
    settings: dict[str, Callable[[], AbstractContextManager[object]]] = {
        "float32": nullcontext,
        "bfloat16": partial(torch.autocast, device.type, torch.bfloat16),
    }
    if device.type == "cuda":
        settings["TF32"] = tf32
    for name, enter in settings.items():
        engine = Engine(max_rows=count, max_tasks=count)
        network = Rounded(model.classifier, enter)
        try:
            futures = [engine.submit(attack(photo, model), network) for photo in photos(count, device)]
            results = [future.result() for future in futures]
        finally:
            engine.close()
        fooled = 0
        for result in results:
            (answer,) = model.classifier.answer([Query(preprocess(to_float(result.picture)[None], model.spec))])
            fooled += int(answer.logits.argmax()) != result.original.index
        yield Figure(f"pictures of {count} fooled by pgd in {name}, judged in float32", "", [fooled])


def measure_throughput(model: Model, counts: list[int], rounds: int) -> Iterator[Figure]:
    """Pictures per second and memory of so many tasks at once in one engine."""
    device = model.classifier.device
    kinds: dict[str, Callable[[Tensor], Task[Any]]] = {
        "classifications": lambda picture: classify(picture, model.spec),
        "attacks (pgd, 40 steps)": lambda picture: attack(picture, model),
        "attacks (default)": lambda picture: adversarial(picture, model.spec),
    }
    for count in counts:
        pictures = photos(count, device)
        for kind, make in kinds.items():
            engine = Engine(max_rows=max(counts), max_tasks=count)
            if device.type == "cuda":
                torch.cuda.reset_peak_memory_stats(device)
            samples = []
            for _ in range(rounds):
                begun = time.perf_counter()
                futures = [engine.submit(make(picture), model.classifier) for picture in pictures]
                for future in futures:
                    future.result()
                synchronise(device)
                samples.append(count / (time.perf_counter() - begun))
            engine.close()
            yield Figure(f"{count} {kind} at once", "pictures/s", samples)
            if device.type == "cuda":
                used = torch.cuda.max_memory_allocated(device) / 2**20
                yield Figure(f"{count} {kind} at once, memory of the device", "MiB", [used])


def main() -> int:
    """Measure part after part; without an accelerator only if --device cpu says so."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--quick", action="store_true", help="few tasks and rounds, for a CPU")
    parser.add_argument("--json", type=Path, help="file for the figures")
    options = parser.parse_args()
    device = choose_device(options.device)
    if device.type == "cpu" and options.device == "auto":
        print("There is no accelerator here: --device cpu runs the same code on the processor.")
        return SKIPPED
    print(machine(device))
    model = load("cats-dogs", device=device)
    model.classifier.warm_up()
    counts, rounds = ([1, 2], 1) if options.quick else ([1, 16, 64, 256], 5)
    model.classifier.pass_times.measure(model.classifier, size=model.spec.size, most=max(counts))
    figures: list[Figure] = []
    failed = False
    for part in (
        measure_passes(model, counts, rounds),
        measure_success(model, max(2, min(16, max(counts)))),
        measure_throughput(model, counts, min(rounds, 3)),
    ):
        try:
            for figure in part:
                figures.append(figure)
                print(f"{figure.name}: {figure.text}", flush=True)
                if options.json:
                    write_figures(options.json, figures)
        except Exception:  # one that fails, such as a recording that a driver refuses, leaves the others to be measured
            traceback.print_exc()
            failed = True
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())

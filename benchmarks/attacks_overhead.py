"""What an attack costs beyond its passes: its runs, interleaved with runs of only the same passes."""

import argparse
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial

import torch
from torch import Tensor
from torchvision.transforms.v2.functional import resize

from benchmarks.attacks_results import Results, chosen
from benchmarks.attacks_subjects import Bench, Module, bare
from benchmarks.measure import Stopwatch, interleaved
from benchmarks.oracles import Oracle
from models.attacks.geometry import Norm, to_lattice
from models.attacks.goal import Goal
from models.classifier import Classifier
from models.preprocessing import preprocess, reduction, to_float
from models.query import Objective, Query, Task
from models.run import run
from models.spec import Spec

ALLOWED = 1.05
"""The largest ratio of an attack's seconds to those of its passes that is not marked in the table."""
PHOTO = (320, 427)
"""Height and width of the photo, for passes that begin with the model's own resize and crop."""

Sequence = tuple[tuple[int, bool], ...]
"""The passes of an attack in order: of each the number of rows, and whether it had a backward pass."""


@dataclass(frozen=True)
class Overhead:
    """Seconds of the passes alone, and the ratio of the attack's seconds to them.

    `ratio` compares whole runs, `split` the two parts of one run; both are median, minimum and maximum of the rounds.
    `split` is None on an accelerator, whose passes are asynchronous, and for other libraries. `same` is false where the
    runs differed in their passes.
    """

    forward: int
    backward: int
    floor_s: float
    ratio: tuple[float, float, float]
    split: tuple[float, float, float] | None
    same: bool

    @property
    def text(self) -> str:
        """The figures of one line of a table."""
        split = "-" if self.split is None else "{:.3f} ({:.3f} to {:.3f})".format(*self.split)
        whole = "{:.3f} ({:.3f} to {:.3f})".format(*self.ratio)
        # One slow round may be noise of the machine; when all rounds are slow, or the split, the attack is.
        above = self.ratio[1] > ALLOWED or (self.split is not None and self.split[0] > ALLOWED)
        verdict = f"  above {ALLOWED}" if above else ""
        unlike = "" if self.same else "  passes differ between runs"
        return (
            f"{self.forward:8}{self.backward:9}{self.floor_s * 1000:10.1f}  {whole:24}{split:24}{verdict}{unlike}"
        ).rstrip()


HEADER = (
    f"{'size':6}{'rows':>5}  {'library':13}{'attack':30}{'norm':5}{'forward':>8}{'backward':>9}{'floor ms':>10}"
    f"  {'runs over floor':24}{'one run, split':24}"
)


@dataclass(frozen=True)
class Watched(Goal):
    """A goal that records the seconds of each evaluation: resize, crop, forward pass and backward pass."""

    seconds: list[float] = field(default_factory=list)

    def ask(self, pictures: Tensor, objective: Objective | None) -> Task[tuple[Tensor, Tensor | None, Tensor | None]]:
        """Evaluate as the goal does, and record the seconds."""
        begun = time.perf_counter()
        answer = yield from super().ask(pictures, objective)
        self.seconds.append(time.perf_counter() - begun)
        return answer


class Floor:
    """The passes of an attack and nothing else. With a spec, each begins with its resize and crop, as in Goal.ask."""

    def __init__(self, classifier: Classifier, start: Tensor, sequence: Sequence, spec: Spec | None) -> None:
        self.classifier, self.sequence, self.spec = classifier, sequence, spec
        self.pictures = {
            rows: start.repeat(-(-rows // len(start)), 1, 1, 1)[:rows].contiguous() for rows, _ in sequence
        }

    def __call__(self) -> None:
        """Run all passes of the sequence once."""
        for rows, graded in self.sequence:
            pictures, objective = self.pictures[rows], _first if graded else None
            if self.spec is None:
                self.classifier.answer([Query(pictures, objective)])
                continue
            leaf = pictures.detach().requires_grad_(graded)
            inputs = preprocess(leaf, self.spec)
            (answer,) = self.classifier.answer([Query(inputs.detach(), objective)])
            if answer.gradients is not None:
                torch.autograd.grad(inputs, leaf, answer.gradients)


def _first(logits: Tensor) -> Tensor:
    return logits[:, 0]


def photo(levels: Tensor, device: torch.device) -> Tensor:
    """A photo at the size PHOTO, [1, 3, h, w] in [0, 1]."""
    return to_lattice(resize(to_float(levels.to(device)), list(PHOTO), antialias=True).unsqueeze(0))


def of_ours(
    bench: Bench, attack: str, norm: Norm, start: Tensor, labels: Tensor, spec: Spec | None, rounds: int
) -> Overhead:
    """The overhead of one of Mirage's attacks on these pictures; with a spec they are resized by it."""
    scale = 1.0 if spec is None else reduction((start.shape[2], start.shape[3]), spec)
    goal = bench.goal(labels, spec, scale=scale)
    splits: list[float] = []

    def attack_once() -> None:
        watch = Stopwatch(bench.classifier)
        watched = goal if spec is None else Watched(**vars(goal))
        begun = time.perf_counter()
        run(bare(attack, norm, start, watched, bench.plan.options(attack, norm)), watch)
        whole = time.perf_counter() - begun
        splits.append(whole / (sum(watched.seconds) if isinstance(watched, Watched) else watch.seconds))

    overhead = _compared(bench, attack_once, start, spec, rounds)
    if bench.classifier.device.type != "cpu":
        return overhead
    measured = splits[-rounds:]
    return replace(overhead, split=(statistics.median(measured), min(measured), max(measured)))


def of_theirs(bench: Bench, oracle: Oracle, start: Tensor, labels: Tensor, rounds: int) -> Overhead:
    """The overhead of another library's attack on these pictures."""
    module = Module(bench.classifier).eval()

    def attack_once() -> None:
        torch.manual_seed(bench.plan.seed)
        oracle.run(module, start, labels)

    return _compared(bench, attack_once, start, None, rounds)


def _compared(bench: Bench, attack_once: Callable[[], None], start: Tensor, spec: Spec | None, rounds: int) -> Overhead:
    sequences: set[Sequence] = set()

    def record_passes() -> None:
        bench.counted.calls.clear()
        attack_once()
        if any(call.backward > 1 for call in bench.counted.calls):
            raise ValueError("it has several backward passes through one forward pass, which the floor cannot repeat")
        sequences.add(tuple((call.rows, bool(call.backward)) for call in bench.counted.calls))

    record_passes()
    forward, backward = bench.counted.passes
    floor = Floor(bench.classifier, start, next(iter(sequences)), spec)
    timings = interleaved({"attack": record_passes, "floor": floor}, rounds=rounds, device=bench.classifier.device)
    ratio = timings["attack"].ratio(timings["floor"])
    return Overhead(forward, backward, timings["floor"].median, ratio, None, len(sequences) == 1)


def subjects(bench: Bench, photos: list[Tensor], rows: list[int]) -> Iterator[tuple[str, Tensor, Tensor, Spec | None]]:
    """The pictures that attacks are timed on: batches of crops, one for each batch size, and one photo."""
    device = bench.classifier.device
    crops = bench.crops(photos)
    for count in rows:
        batch = [crops[number % len(crops)] for number in range(count)]
        start = to_float(torch.stack([case.levels for case in batch])).to(device)
        yield "crop", start, torch.tensor([case.label for case in batch], device=device), None
    spec = bench.classifier.spec
    start = photo(photos[0], device)
    case = bench.case(0, (start[0] * 255).round().to(torch.uint8), spec)
    yield "photo", start, torch.tensor([case.label], device=device), spec


def part_overhead(
    bench: Bench, photos: list[Tensor], theirs: list[Oracle], results: Results, options: argparse.Namespace
) -> None:
    """Measure the overhead of every attack and print each line as soon as it is measured."""
    print(
        f"{options.rounds} interleaved rounds: median (least to most) of the runs' seconds over those of their passes"
    )
    print(
        "alone; split: of one run, the whole over its passes. crop: the network's passes; photo: with resize and crop"
    )
    print(
        f"of {PHOTO[0]} x {PHOTO[1]} pixels. A line is marked if all rounds, or the split's median, exceed {ALLOWED}."
    )
    print(HEADER, flush=True)
    for where, start, labels, spec in subjects(bench, photos, options.overhead_rows):
        for attack, norm in chosen(options):
            measures: dict[str, Callable[[], Overhead]] = {}
            if "mirage" in options.libraries:
                ours = partial(of_ours, bench, attack, norm, start, labels, spec, options.rounds)
                measures[f"{'bare':13}{attack:30}{norm:5}"] = ours
            for oracle in theirs if spec is None else ():
                if (oracle.attack, oracle.norm) == (attack, norm):
                    title = f"{oracle.library:13}{oracle.name:30}{norm:5}"
                    measures[title] = partial(of_theirs, bench, oracle, start, labels, options.rounds)
            for title, measure in measures.items():
                figures = results.of(f"overhead {where} {len(start)} {' '.join(title.split())}", measure)
                text = f"  failed: {figures['failed']}" if "failed" in figures else Overhead(**figures).text
                print(f"{where:6}{len(start):5}  {title}{text}", flush=True)

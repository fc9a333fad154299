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
from models.preprocessing import preprocess, to_float
from models.query import Objective, Query, Task
from models.run import run
from models.spec import Spec

ALLOWED = 1.05
PHOTO = (320, 427)
"""Height and width of the photo, for passes that begin with the model's own resize and crop."""

Sequence = tuple[tuple[int, bool], ...]
"""Of each pass its rows, and whether it went backward."""


@dataclass(frozen=True)
class Overhead:
    """Seconds of the passes alone; the attack's over theirs: of whole runs, and of one run split into the two.

    Each is a median with the least and the most of the rounds. `split` has no figure where passes go on unwatched, on
    an accelerator, nor for other libraries. `same` is false where the runs asked for different passes.
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
        # One round may be anybody's noise; all of them, or the split, are the attack's.
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
    """A goal that writes down the seconds of its questions: resize, crop, pass, and the gradients' way back."""

    seconds: list[float] = field(default_factory=list)

    def ask(self, pictures: Tensor, objective: Objective | None) -> Task[tuple[Tensor, Tensor | None, Tensor | None]]:
        """The goal's own."""
        begun = time.perf_counter()
        answer = yield from super().ask(pictures, objective)
        self.seconds.append(time.perf_counter() - begun)
        return answer


class Floor:
    """The passes of an attack and nothing else: with a spec, each begins with its resize and crop, as Goal.ask does."""

    def __init__(self, classifier: Classifier, start: Tensor, sequence: Sequence, spec: Spec | None) -> None:
        self.classifier, self.sequence, self.spec = classifier, sequence, spec
        self.pictures = {
            rows: start.repeat(-(-rows // len(start)), 1, 1, 1)[:rows].contiguous() for rows, _ in sequence
        }

    def __call__(self) -> None:
        """Once through the sequence."""
        for rows, graded in self.sequence:
            pictures, objective = self.pictures[rows], _first if graded else None
            if self.spec is None:
                self.classifier.answer([Query(pictures, objective)])
                continue
            wanted = pictures.detach().requires_grad_(graded)
            seen = preprocess(wanted, self.spec)
            (answer,) = self.classifier.answer([Query(seen.detach(), objective)])
            if answer.gradients is not None:
                torch.autograd.grad(seen, wanted, answer.gradients)


def _first(logits: Tensor) -> Tensor:
    return logits[:, 0]


def photo(levels: Tensor, device: torch.device) -> Tensor:
    """A photo at the size PHOTO, [1, 3, h, w] in [0, 1]."""
    return to_lattice(resize(to_float(levels.to(device)), list(PHOTO), antialias=True).unsqueeze(0))


def of_ours(
    bench: Bench, attack: str, norm: Norm, start: Tensor, wanted: Tensor, spec: Spec | None, rounds: int
) -> Overhead:
    """One of Mirage's, alone on these rows; with a spec the pictures are resized by it."""
    scale = 1.0 if spec is None else min(start.shape[2:]) / spec.resize
    goal = bench.goal(wanted, spec, scale=scale)
    splits: list[float] = []

    def attacked() -> None:
        watch = Stopwatch(bench.classifier)
        watched = goal if spec is None else Watched(**vars(goal))
        begun = time.perf_counter()
        run(bare(attack, norm, start, watched, bench.plan.given(attack, norm)), watch)
        whole = time.perf_counter() - begun
        splits.append(whole / (sum(watched.seconds) if isinstance(watched, Watched) else watch.seconds))

    found = _compared(bench, attacked, start, spec, rounds)
    if bench.classifier.device.type != "cpu":
        return found
    measured = splits[-rounds:]
    return replace(found, split=(statistics.median(measured), min(measured), max(measured)))


def of_theirs(bench: Bench, oracle: Oracle, start: Tensor, wanted: Tensor, rounds: int) -> Overhead:
    """Another library's."""
    module = Module(bench.classifier).eval()

    def attacked() -> None:
        torch.manual_seed(bench.plan.seed)
        oracle.run(module, start, wanted)

    return _compared(bench, attacked, start, None, rounds)


def _compared(bench: Bench, attacked: Callable[[], None], start: Tensor, spec: Spec | None, rounds: int) -> Overhead:
    sequences: set[Sequence] = set()

    def recorded() -> None:
        bench.counted.calls.clear()
        attacked()
        if any(call.backward > 1 for call in bench.counted.calls):
            raise ValueError("goes backward more than once through one pass: there is no like floor")
        sequences.add(tuple((call.rows, bool(call.backward)) for call in bench.counted.calls))

    recorded()
    forward, backward = bench.counted.passes
    floor = Floor(bench.classifier, start, next(iter(sequences)), spec)
    timings = interleaved({"attack": recorded, "floor": floor}, rounds=rounds, device=bench.classifier.device)
    ratio = timings["attack"].ratio(timings["floor"])
    return Overhead(forward, backward, timings["floor"].median, ratio, None, len(sequences) == 1)


def subjects(bench: Bench, photos: list[Tensor], rows: list[int]) -> Iterator[tuple[str, Tensor, Tensor, Spec | None]]:
    """What attacks are timed on: crops in batches of each number of rows, and one photo."""
    device = bench.classifier.device
    crops = bench.crops(photos)
    for count in rows:
        some = [crops[number % len(crops)] for number in range(count)]
        start = to_float(torch.stack([case.levels for case in some])).to(device)
        yield "crop", start, torch.tensor([case.wanted for case in some], device=device), None
    spec = bench.classifier.spec
    start = photo(photos[0], device)
    case = bench.case(0, (start[0] * 255).round().to(torch.uint8), spec)
    yield "photo", start, torch.tensor([case.wanted], device=device), spec


def part_overhead(
    bench: Bench, photos: list[Tensor], theirs: list[Oracle], kept: Results, options: argparse.Namespace
) -> None:
    """Print each line as it is done."""
    print(
        f"{options.rounds} interleaved rounds: median (least to most) of the runs' seconds over those of their passes"
    )
    print(
        "alone; split: of one run, the whole over its passes. crop: the network's passes; photo: with resize and crop"
    )
    print(f"of {PHOTO[0]} x {PHOTO[1]} pixels. Above {ALLOWED} is said where all rounds are, or the split's median.")
    print(HEADER, flush=True)
    for where, start, wanted, spec in subjects(bench, photos, options.overhead_rows):
        for attack, norm in chosen(options):
            measures: dict[str, Callable[[], Overhead]] = {}
            if "mirage" in options.libraries:
                ours = partial(of_ours, bench, attack, norm, start, wanted, spec, options.rounds)
                measures[f"{'bare':13}{attack:30}{norm:5}"] = ours
            for each in theirs if spec is None else ():
                if (each.attack, each.norm) == (attack, norm):
                    title = f"{each.library:13}{each.name:30}{norm:5}"
                    measures[title] = partial(of_theirs, bench, each, start, wanted, options.rounds)
            for title, measure in measures.items():
                found = kept.of(f"overhead {where} {len(start)} {' '.join(title.split())}", measure)
                text = f"  failed: {found['failed']}" if "failed" in found else Overhead(**found).text
                print(f"{where:6}{len(start):5}  {title}{text}", flush=True)

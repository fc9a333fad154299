"""The table of attacks: ours and other libraries' on the same photos, one line per attack, norm and library."""

import argparse
import itertools
import statistics
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
from torch import Tensor
from tqdm.auto import tqdm

from benchmarks.attacks_results import Results, chosen, median_size, spread
from benchmarks.attacks_subjects import Bench, Case, Cost, Module, bare, float_pictures, whole
from benchmarks.oracles import Oracle
from models.attacks.geometry import Norm, norms, size
from models.attacks.task import Adversarial
from models.pictures import decode, encode
from models.preprocessing import to_float, to_levels
from models.query import Task
from models.run import run, run_all

Attack = Callable[[Tensor, Tensor], Tensor]
"""Pictures of the input size and their classes, or the targets of targeted attacks -> pictures in float."""

HEADER = (
    f"{'size':6}{'library':13}{'attack':30}{'norm':6}{'float':>7}{'png':>7}{'served':>7}{'in float':>11}{'in png':>11}"
    f"{'forward':>9}{'backward':>9}  s/photo              bare / it"
)


@dataclass
class Outcome:
    """The results of an attack per photo: in float, in the decoded PNG, and in that PNG after the model's resize."""

    won: list[bool] = field(default_factory=list)
    won_png: list[bool] = field(default_factory=list)
    won_served: list[bool] = field(default_factory=list)
    size: list[float] = field(default_factory=list)
    size_png: list[float] = field(default_factory=list)
    forward: list[float] = field(default_factory=list)
    backward: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)

    def judge(self, bench: Bench, cases: Sequence[Case], pictures: Tensor, files: Sequence[Tensor], norm: Norm) -> None:
        """Add the results in float [n, 3, h, w], all of one size, and their 8-bit levels."""
        device = bench.classifier.device
        start = to_float(torch.stack([case.levels for case in cases])).to(device)
        labels = torch.tensor([case.label for case in cases], device=device)
        decoded = torch.stack([decode(encode(levels)) for levels in files]).to(device)
        spec = cases[0].spec
        moved = size(pictures - start, norm)
        self.won += bench.won(pictures, spec, labels).tolist()
        self.won_png += bench.won(to_float(decoded), spec, labels).tolist()
        self.won_served += bench.won(to_float(decoded), bench.classifier.spec, labels).tolist()
        self.size += moved.nan_to_num().tolist()
        self.size_png += [norms(file, case.levels)[norm] for file, case in zip(decoded.cpu(), cases, strict=True)]

    def take(self, photos: int, cost: Cost) -> None:
        """Add the cost of a batch of `photos` photos, divided equally among them."""
        self.seconds += [cost.seconds / photos] * photos
        self.forward += [cost.forward / photos] * photos
        self.backward += [cost.backward / photos] * photos


@dataclass(frozen=True, eq=False)
class Entry:
    """One line of the table, and what measures it: it takes one batch of photos after the other into an outcome."""

    section: str
    library: str
    attack: str
    norm: Norm
    measure: Callable[[Outcome], Iterator[None]]
    variant: str = ""

    @property
    def name(self) -> str:
        """The attack with its variant."""
        return f"{self.attack}, {self.variant}" if self.variant else self.attack


def of_crops(
    bench: Bench, cases: Sequence[Case], rows: int, norm: Norm, attack: Attack, outcome: Outcome
) -> Iterator[None]:
    """An attack in float, ours or another library's, from pictures of the model's input size to pictures."""
    device = bench.classifier.device
    for begin in range(0, len(cases), rows):
        chunk = cases[begin : begin + rows]
        start = to_float(torch.stack([case.levels for case in chunk])).to(device)
        labels = torch.tensor([case.label for case in chunk], device=device)
        pictures, cost = bench.timed(partial(attack, start, labels))
        outcome.take(len(chunk), cost)
        outcome.judge(bench, chunk, pictures.detach(), list(to_levels(pictures.nan_to_num())), norm)
        yield


def of_product(
    bench: Bench, cases: Sequence[Case], rows: int, norm: Norm, attack: str, outcome: Outcome
) -> Iterator[None]:
    """Mirage's whole attack, which ends in 8-bit pictures, on pictures of any sizes."""
    for begin in range(0, len(cases), rows):
        chunk = cases[begin : begin + rows]
        with float_pictures() as floats:
            tasks = [whole(bench, case, attack, norm) for case in chunk]
            results, cost = bench.timed(partial(_run_tasks, tasks, bench))
        outcome.take(len(chunk), cost)
        for number, case in enumerate(chunk):
            pictures = floats[id(results[number].passes)]
            outcome.judge(bench, [case], pictures, [results[number].picture], norm)
        yield


def in_turn(lines: Sequence[Entry]) -> dict[Entry, Outcome | Exception]:
    """The outcomes of the lines, which take turns with each batch of photos, so that a busier machine slows down all.

    A line that fails has its error in place of an outcome.
    """
    outcomes: dict[Entry, Outcome | Exception] = {}
    running = []
    for line in lines:
        outcomes[line] = outcome = Outcome()
        running.append((line, line.measure(outcome)))
    with tqdm(leave=False, desc=f"{lines[0].attack} {lines[0].norm}", unit="batch", file=sys.stderr) as bar:
        while running:
            for line, batches in list(running):
                try:
                    next(batches)
                    bar.update()
                except StopIteration:
                    running.remove((line, batches))
                except Exception as error:  # another library may raise anything, and the table goes on
                    outcomes[line] = error
                    running.remove((line, batches))
    return outcomes


def _run_tasks(tasks: list[Task[Adversarial]], bench: Bench) -> dict[int, Adversarial]:
    return dict(run_all(tasks, bench.classifier, at_once=len(tasks)))


def _of_ours(bench: Bench, attack: str, norm: Norm, start: Tensor, labels: Tensor) -> Tensor:
    task = bare(attack, norm, start, bench.goal(labels), bench.plan.options(attack, norm))
    return run(task, bench.classifier).pictures


def entries(bench: Bench, photos: list[Tensor], theirs: list[Oracle], options: argparse.Namespace) -> Iterator[Entry]:
    """The lines of the table; those of one attack and norm are neighbours."""
    crops, cases = bench.crops(photos), bench.cases(photos)
    sections = [section for section in options.sections if section == "bare" or "mirage" in options.libraries]
    module, rows = Module(bench.classifier).eval(), options.rows

    def in_float(library: str, attack: str, norm: Norm, run_attack: Attack, variant: str = "") -> Entry:
        measure = partial(of_crops, bench, crops, rows, norm, run_attack)
        return Entry("crop", library, attack, norm, measure, variant)

    def product(section: str, subjects: list[Case], attack: str, norm: Norm) -> Entry:
        measure = partial(of_product, bench, subjects, rows, norm, attack)
        return Entry(section, "mirage", attack, norm, measure)

    if "bare" in sections:
        yield in_float("-", "none", "l2", lambda start, _: start)
    for attack, norm in chosen(options):
        if "bare" in sections:
            if "mirage" in options.libraries:
                yield in_float("bare", attack, norm, partial(_of_ours, bench, attack, norm))
            for oracle in theirs:
                if (oracle.attack, oracle.norm) == (attack, norm):
                    yield in_float(oracle.library, attack, norm, partial(oracle.run, module), oracle.variant)
        if "crop" in sections:
            yield product("crop", crops, attack, norm)
        if "photo" in sections:
            yield product("photo", cases, attack, norm)


def format_line(entry: Entry, figures: dict[str, Any], ours: dict[str, Any]) -> str:
    """Format the figures of an entry as one line of the table, beside those of our attack in float."""
    begun = f"{entry.section:6}{entry.library:13}{entry.name:30}{entry.norm:6}"
    if "failed" in figures:
        return f"{begun}  failed: {figures['failed']}"
    rates = "".join(f"{statistics.fmean(figures[name]):7.0%}" for name in ("won", "won_png", "won_served"))
    medians = [median_size(figures[f"size{suffix}"], figures[f"won{suffix}"], entry.norm) for suffix in ("", "_png")]
    sizes = "".join(f"{median:>11}" for median in medians)
    passes = "".join(f"{statistics.median(figures[name]):9.0f}" for name in ("forward", "backward"))
    line = f"{begun}{rates}{sizes}{passes}  {spread(figures['seconds'])}"
    if ours is figures or len(ours.get("seconds", [])) != len(figures["seconds"]):
        return line
    ratios = [mine / its for mine, its in zip(ours["seconds"], figures["seconds"], strict=True)]
    return f"{line}  {spread(ratios)}"


def part_table(
    bench: Bench, photos: list[Tensor], theirs: list[Oracle], results: Results, options: argparse.Namespace
) -> None:
    """Measure all lines of the table and print those of an attack as soon as they are measured."""
    print("float, png, served: photos that fool the model; in memory; as a PNG of that size; that PNG through the")
    print("model's own resize and crop. Sizes are medians over all photos, one that is not fooled counts as infinite;")
    print("linf in levels, l2 and l1 of pixels in [0, 1], l0 in pixels. Passes are medians per photo.")
    print(f"{options.rows} at once, in turn with the other lines of the attack; seconds: median (least to most);")
    print("bare / it: seconds of Mirage's attack in float over those of the line, photo by photo")
    print(HEADER, flush=True)
    lines = entries(bench, photos, theirs, options)
    for _, group in itertools.groupby(lines, lambda entry: (entry.section, entry.attack, entry.norm)):
        of_attack = {f"table {entry.section} {entry.library} {entry.name} {entry.norm}": entry for entry in group}
        figures = results.of_all(of_attack, in_turn)
        ours = next((figures[name] for name, entry in of_attack.items() if entry.library == "bare"), {})
        for name, entry in of_attack.items():
            print(format_line(entry, figures[name], ours), flush=True)

"""The table of attacks: ours and other libraries' on the same photos, one line per attack, norm and library."""

import argparse
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

Attacked = Callable[[Tensor, Tensor], Tensor]
"""Pictures of the input size and classes to leave, or targets -> pictures in float."""

HEADER = (
    f"{'size':6}{'library':13}{'attack':30}{'norm':6}{'float':>7}{'png':>7}{'served':>7}{'in float':>11}{'in png':>11}"
    f"{'forward':>9}{'backward':>9}  s/photo"
)


@dataclass
class Outcome:
    """What an attack came to, per photo: in float, in the decoded PNG, and that PNG through the model's own resize."""

    won: list[bool] = field(default_factory=list)
    won_png: list[bool] = field(default_factory=list)
    won_served: list[bool] = field(default_factory=list)
    size: list[float] = field(default_factory=list)
    size_png: list[float] = field(default_factory=list)
    forward: list[float] = field(default_factory=list)
    backward: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)

    def judge(self, bench: Bench, cases: Sequence[Case], found: Tensor, files: Sequence[Tensor], norm: Norm) -> None:
        """Add pictures of one size [n, 3, h, w] in float, and the levels that became of each."""
        device = bench.classifier.device
        start = to_float(torch.stack([case.levels for case in cases])).to(device)
        wanted = torch.tensor([case.wanted for case in cases], device=device)
        read = torch.stack([decode(encode(levels)) for levels in files]).to(device)
        spec = cases[0].spec
        moved = size(found - start, norm)
        self.won += bench.won(found, spec, wanted).tolist()
        self.won_png += bench.won(to_float(read), spec, wanted).tolist()
        self.won_served += bench.won(to_float(read), bench.classifier.spec, wanted).tolist()
        self.size += moved.nan_to_num().tolist()
        self.size_png += [norms(file, case.levels)[norm] for file, case in zip(read.cpu(), cases, strict=True)]

    def take(self, photos: int, cost: Cost) -> None:
        """Add what so many photos took together."""
        self.seconds += [cost.seconds / photos] * photos
        self.forward += [cost.forward / photos] * photos
        self.backward += [cost.backward / photos] * photos


@dataclass(frozen=True)
class Entry:
    """One line of the table, and how it is made."""

    section: str
    library: str
    attack: str
    norm: Norm
    measure: Callable[[], Outcome]
    variant: str = ""

    @property
    def name(self) -> str:
        """The attack with its variant."""
        return f"{self.attack}, {self.variant}" if self.variant else self.attack


def chunks(cases: Sequence[Case], rows: int, name: str) -> Iterator[Sequence[Case]]:
    """So many at a time, with a bar on standard error."""
    with tqdm(total=len(cases), desc=name, unit="photo", leave=False, file=sys.stderr) as bar:
        for begin in range(0, len(cases), rows):
            some = cases[begin : begin + rows]
            yield some
            bar.update(len(some))


def of_crops(bench: Bench, cases: Sequence[Case], rows: int, name: str, norm: Norm, attacked: Attacked) -> Outcome:
    """An attack in float, ours or another library's, from pictures of the model's input size to pictures."""
    outcome, device = Outcome(), bench.classifier.device
    for some in chunks(cases, rows, name):
        start = to_float(torch.stack([case.levels for case in some])).to(device)
        wanted = torch.tensor([case.wanted for case in some], device=device)
        found, cost = bench.timed(partial(attacked, start, wanted))
        outcome.take(len(some), cost)
        outcome.judge(bench, some, found.detach(), list(to_levels(found.nan_to_num())), norm)
    return outcome


def of_product(bench: Bench, cases: Sequence[Case], rows: int, name: str, norm: Norm, attack: str) -> Outcome:
    """The whole of Mirage, pictures of any sizes."""
    outcome = Outcome()
    for some in chunks(cases, rows, name):
        with float_pictures() as floats:
            tasks = [whole(bench, case, attack, norm) for case in some]
            results, cost = bench.timed(partial(_driven, tasks, bench))
        outcome.take(len(some), cost)
        for number, case in enumerate(some):
            found = floats[id(results[number].passes)]
            outcome.judge(bench, [case], found, [results[number].picture], norm)
    return outcome


def _driven(tasks: list[Task[Adversarial]], bench: Bench) -> dict[int, Adversarial]:
    return dict(run_all(tasks, bench.classifier, at_once=len(tasks)))


def _of_ours(bench: Bench, attack: str, norm: Norm, start: Tensor, wanted: Tensor) -> Tensor:
    task = bare(attack, norm, start, bench.goal(wanted), bench.plan.given(attack, norm))
    return run(task, bench.classifier).pictures


def entries(bench: Bench, photos: list[Tensor], theirs: list[Oracle], options: argparse.Namespace) -> Iterator[Entry]:
    """The lines of the table: those of one question and norm stand together."""
    crops, cases = bench.crops(photos), bench.cases(photos)
    sections = [each for each in options.sections if each == "bare" or "mirage" in options.libraries]
    module, rows = Module(bench.classifier).eval(), options.rows

    def in_float(library: str, attack: str, norm: Norm, attacked: Attacked, variant: str = "") -> Entry:
        measure = partial(of_crops, bench, crops, rows, f"{library} {attack} {norm}", norm, attacked)
        return Entry("crop", library, attack, norm, measure, variant)

    def product(section: str, some: list[Case], attack: str, norm: Norm) -> Entry:
        measure = partial(of_product, bench, some, rows, f"mirage {attack} {norm}", norm, attack)
        return Entry(section, "mirage", attack, norm, measure)

    if "bare" in sections:
        yield in_float("-", "none", "l2", lambda start, _: start)
    for attack, norm in chosen(options):
        if "bare" in sections:
            if "mirage" in options.libraries:
                yield in_float("bare", attack, norm, partial(_of_ours, bench, attack, norm))
            for each in theirs:
                if (each.attack, each.norm) == (attack, norm):
                    yield in_float(each.library, attack, norm, partial(each.run, module), each.variant)
        if "crop" in sections:
            yield product("crop", crops, attack, norm)
        if "photo" in sections:
            yield product("photo", cases, attack, norm)


def told(entry: Entry, found: dict[str, Any]) -> str:
    """One line of the table."""
    begun = f"{entry.section:6}{entry.library:13}{entry.name:30}{entry.norm:6}"
    if "failed" in found:
        return f"{begun}  failed: {found['failed']}"
    rates = "".join(f"{statistics.fmean(found[each]):7.0%}" for each in ("won", "won_png", "won_served"))
    medians = [median_size(found[f"size{each}"], found[f"won{each}"], entry.norm) for each in ("", "_png")]
    sizes = "".join(f"{median:>11}" for median in medians)
    passes = "".join(f"{statistics.median(found[each]):9.0f}" for each in ("forward", "backward"))
    return f"{begun}{rates}{sizes}{passes}  {spread(found['seconds'])}"


def part_table(
    bench: Bench, photos: list[Tensor], theirs: list[Oracle], kept: Results, options: argparse.Namespace
) -> None:
    """Print each line as it is done."""
    print("float, png, served: photos that fool the model; in memory; as a PNG of that size; that PNG through the")
    print("model's own resize and crop. Sizes are medians over all photos, one that is not fooled counts as infinite;")
    print("linf in levels, l2 and l1 of pixels in [0, 1], l0 in pixels. Passes are medians per photo.")
    print(f"{options.rows} at once; seconds: median (least to most)\n{HEADER}", flush=True)
    for entry in entries(bench, photos, theirs, options):
        name = f"table {entry.section} {entry.library} {entry.name} {entry.norm}"
        found = kept.of(name, entry.measure)
        print(told(entry, found), flush=True)

"""All that is known of a run before anything is computed on the network: data, split, parent, preprocessing."""

import hashlib
import json
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import torch
from rich.console import Console
from torch import nn

from models import architectures
from models.spec import Spec
from training.cache import DEFAULT_FOLDER, Cache
from training.console import summary, tell
from training.data.layout.layout import Layout, class_names, layout, lines_for_user
from training.data.loading.batches import Labelled
from training.data.loading.photo_store import PhotoStore
from training.data.options import DataOptions
from training.data.scan.inspect_file import Photo, Scan
from training.data.scan.scan_source import look_over
from training.data.sources.open_source import open_source
from training.data.sources.source import Source
from training.data.split import Split, split
from training.data.split_errors import reasons, ways_out
from training.parent import Parent, load_parent
from training.preprocessing import in_grey, shorter_side, spec_at
from training.recipe import BadRecipe, Recipe
from training.runs import RunFolder, claim, write_findings
from training.team import Alone, Team, launched, was_restarted


@dataclass(frozen=True)
class Job:
    """What is asked for. `runs` is where the run folder is made, `renamed` maps folders to names of classes,
    and `reading` says which files are meant and where their labels are.

    `phase` "probe" stops after the head. `finish` takes the best so far in place of going on. The state is saved
    every `save_every_s` seconds. The robustness of the result is measured on `robustness_photos` of the test side.
    A run that is resumed keeps its own number of epochs where none was asked for (`epochs_asked`).
    """

    data: Path
    output: Path
    architecture: str
    recipe: Recipe = field(default_factory=Recipe)
    parent: Path | None = None
    parent_licence: str | None = None
    renamed: dict[str, str] = field(default_factory=dict)
    reading: DataOptions = field(default_factory=DataOptions)
    workers: int = 0
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    phase: Literal["all", "probe"] = "all"
    resume: bool = False
    epochs_asked: bool = True
    overwrite: bool = False
    finish: bool = False
    save_every_s: float = 60.0
    robustness_photos: int = 100
    tensorboard: bool = False
    runs: Path = Path("runs")
    cache: Cache = field(default_factory=lambda: Cache(DEFAULT_FOLDER.expanduser()))

    @property
    def folder(self) -> RunFolder:
        """Where the run keeps what it needs to go on."""
        return RunFolder(self.runs / self.output.stem)


@dataclass(frozen=True)
class Prepared:
    """A run that may start."""

    job: Job
    team: Team
    source: Source
    layout: Layout
    scan: Scan
    store: PhotoStore | None
    split: Split
    spec: Spec
    parent: Parent
    anew: bool = False
    lost: int = 0

    @property
    def identity(self) -> dict[str, Any]:
        """What must be the same for a resumed run to be the same run: plain JSON."""
        found = {
            "architecture": self.spec.architecture,
            "classes": self.spec.classes,
            "recipe": asdict(self.job.recipe),
            "data": self.scan.digest,
            "split": self.split.digest,
            "parent": self.parent.digest,
        }
        plain: dict[str, Any] = json.loads(json.dumps(found))
        return plain

    @property
    def share(self) -> int:
        """Photos of a batch that one process has."""
        return max(1, self.job.recipe.batch_size // self.team.size)

    def features_key(self, precision: str) -> str:
        """Digest of all that the cached features depend on."""
        shorter = shorter_side(self.spec, self.job.recipe)
        parts = [self.split.digest, self.parent.digest, json.dumps(asdict(self.spec)), precision, str(shorter)]
        parts += [self.team.device.type, torch.__version__]
        return "features-" + hashlib.sha256("\n".join(parts).encode()).hexdigest()

    def probe_key(self, precision: str) -> str:
        """Digest of all that the cached probe depends on."""
        recipe = self.job.recipe
        parts = [self.features_key(precision), recipe.class_weights, *map(repr, recipe.probe_penalties)]
        return "probe-" + hashlib.sha256("\n".join(parts).encode()).hexdigest()

    def labelled(self, photos: tuple[Photo, ...], *, exact: bool = False) -> Labelled:
        """Photos of one side, with the indices of their classes; `exact` ones are read from their files."""
        index_of = {folder: index for index, folder in enumerate(self.layout.folders)}
        if exact:
            return Labelled(self.source, photos, index_of)
        return Labelled(self.source, photos, index_of, self.store, shorter_side(self.spec, self.job.recipe))

    def network(self) -> nn.Module:
        """The architecture with the parent's trunk and a new head."""
        torch.manual_seed(self.job.recipe.seed)
        network = architectures.build(self.spec.architecture, len(self.spec.classes), channels=self.spec.channels)
        architectures.load_trunk(network, self.parent.weights)
        return network


def prepare(job: Job, console: Console, team: Team | None = None, *, dry: bool = False) -> Prepared:
    """Check that the output may be written, read the parent, scan and split the data: what may fail soon goes first.

    A `dry` run writes nothing but to the cache.
    """
    team = team or Alone(job.device)
    anew = False
    if team.rank == 0 and not dry:
        anew = claim(
            job.output,
            job.folder,
            resume=job.resume,
            overwrite=job.overwrite,
            launch=launched(),
            restarted=was_restarted(),
        )
    source = open_source(job.data, job.reading, unpacked=job.cache.unpacked)
    found = layout(source, job.reading)
    classes = class_names(found, job.renamed)
    for line in lines_for_user(found, classes):
        tell(console, line)
    parent = load_parent(job.architecture, job.parent, job.parent_licence)
    recipe = job.recipe
    spec = spec_at(replace(parent.spec, classes=classes, temperature=1.0), recipe)
    if recipe.grey:
        spec = in_grey(spec)
    with team.in_turn():
        scan, store = look_over(source, found, job.cache, shorter_side(spec, recipe), job.workers, console)
    tell(console, summary(scan))
    if team.rank == 0 and not dry:
        write_findings(job.folder.findings_file, scan.findings)
        tell(console, f"the list is in {job.folder.findings_file}")
    fractions = {"validation": recipe.validation, "test": recipe.test}
    why, leave_out = reasons(found, scan.findings), ways_out(found, job.reading)
    sides = split(scan.photos, found.folders, **fractions, seed=recipe.seed, why=why, leave_out=leave_out)
    _check_shares(min(recipe.batch_size, len(sides.train)), len(sides.validation), team.size)
    ready = Prepared(job, team, source, found, scan, store, sides, spec, parent, anew)
    return _as_begun(ready, console) if job.finish else ready


def _as_begun(ready: Prepared, console: Console) -> Prepared:
    """The same with the sides that the run has had: what it has learnt is not lost with a file or two."""
    begun = ready.job.folder.load_split(ready.scan.photos)
    if begun is None or begun[1] == 0 or not all(begun[0].sides.values()):
        return ready
    tell(console, f"{begun[1]:,} of the photos that the run began with are gone: it is finished with the others")
    return replace(ready, split=begun[0], lost=begun[1])


def _check_shares(batch: int, validation: int, processes: int) -> None:
    """Each process has as many photos of a batch as the others: their gradients count the same."""
    if batch % processes:
        raise BadRecipe(f"{processes} processes cannot share batches of {batch} photos evenly: change batch_size")
    if validation < processes:
        raise BadRecipe(f"{validation} photos of validation are too few for {processes} processes: start fewer")

"""All that is known of a run before anything is computed on the network: data, split, parent, preprocessing."""

import hashlib
import json
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from statistics import fmean
from typing import Any

import torch
from rich.console import Console
from torch import nn

from models import architectures
from models.spec import Spec
from training.console import summary, tell, track
from training.loaders import Labelled
from training.parent import Parent, load_parent
from training.recipe import Recipe
from training.runs import RunFolder, claim
from training.scan import Photo, Scan, look_at_all, summarise
from training.sources import Layout, Source, class_names, layout, open_source
from training.split import Split, split


@dataclass(frozen=True)
class Job:
    """What is asked for. `runs` is where the run folder is made, `renamed` maps folders to names of classes."""

    data: Path
    output: Path
    architecture: str
    recipe: Recipe = field(default_factory=Recipe)
    parent: Path | None = None
    parent_licence: str | None = None
    renamed: dict[str, str] = field(default_factory=dict)
    workers: int = 0
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    resume: bool = False
    overwrite: bool = False
    runs: Path = Path("runs")

    @property
    def folder(self) -> RunFolder:
        """Where the run keeps what it needs to go on."""
        return RunFolder(self.runs / self.output.stem)


@dataclass(frozen=True)
class Prepared:
    """A run that may start."""

    job: Job
    source: Source
    layout: Layout
    scan: Scan
    split: Split
    spec: Spec
    parent: Parent

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
    def features_key(self) -> str:
        """Digest of all that the cached features depend on."""
        parts = [self.split.digest, self.parent.digest, json.dumps(asdict(self.spec))]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()

    def labelled(self, photos: tuple[Photo, ...]) -> Labelled:
        """Photos of one side, with the indices of their classes."""
        return Labelled(self.source, photos, {folder: index for index, folder in enumerate(self.layout.folders)})

    def network(self) -> nn.Module:
        """The architecture with the parent's trunk and a new head."""
        torch.manual_seed(self.job.recipe.seed)
        network = architectures.build(self.spec.architecture, len(self.spec.classes), channels=self.spec.channels)
        architectures.load_trunk(network, self.parent.weights)
        return network


def scanned(source: Source, found: Layout, *, workers: int, console: Console) -> Scan:
    """Look at every file of the class folders, with a progress bar."""
    names = sorted(found.folder_of)
    looked = look_at_all(source, names, workers)
    return summarise(source, found, track(console, looked, total=len(names), what="looking at the files"))


def prepare(job: Job, console: Console) -> Prepared:
    """Check that the output may be written, read the parent, scan and split the data: what may fail soon goes first."""
    claim(job.output, job.folder, resume=job.resume, overwrite=job.overwrite)
    source = open_source(job.data)
    found = layout(source.names)
    classes = class_names(found.folders, job.renamed)
    parent = load_parent(job.architecture, job.parent, job.parent_licence)
    scan = job.folder.load_scan(source.listing)
    if scan is None:
        scan = scanned(source, found, workers=job.workers, console=console)
        job.folder.save_scan(scan)
    tell(console, f"{summary(scan)}; the list is in {job.folder.findings_file}")
    recipe = job.recipe
    sides = split(scan.photos, found.folders, validation=recipe.validation, test=recipe.test, seed=recipe.seed)
    spec = resized(replace(parent.spec, classes=classes, temperature=1.0), recipe.input_size)
    if recipe.grey:
        spec = in_grey(spec)
    return Prepared(job, source, found, scan, sides, spec, parent)


def in_grey(spec: Spec) -> Spec:
    """The preprocessing for a network of one channel: the mean of the colours' own figures."""
    if spec.channels == 3 and spec.architecture in architectures.TENSORFLOWS:
        # What their first layer is given of colours; of one channel they change nothing.
        return replace(spec, mean=(0.5,), std=(0.5,))
    return replace(spec, mean=(fmean(spec.mean),), std=(fmean(spec.std),))


def resized(spec: Spec, input_size: int | None) -> Spec:
    """The preprocessing at another input size, with the same margin around the crop."""
    if input_size is None:
        return spec
    return replace(spec, input_size=input_size, resize=round(spec.resize * input_size / spec.input_size))

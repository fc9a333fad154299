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
from training.console import print_line, summary
from training.data.layout.layout import Layout, class_names, layout, layout_messages
from training.data.loading.batches import LabelledPhotos
from training.data.loading.photo_store import PhotoStore
from training.data.options import DataOptions
from training.data.scan.findings import Photo, Scan
from training.data.scan.scan_source import scan_and_store
from training.data.sources.open_source import open_source
from training.data.sources.source import Source
from training.data.split import Split, split
from training.data.split_errors import exclusion_options, exclusion_reasons
from training.preprocessing import in_grey, shorter_side, spec_at
from training.pretrained import PretrainedWeights, load_pretrained
from training.process_group import ProcessGroup, SingleProcess, launched, was_restarted
from training.recipe import BadRecipe, Recipe
from training.run_folder import RunFolder, claim, write_findings


@dataclass(frozen=True)
class FitOptions:
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
    weights: Path | None = None
    weights_licence: str | None = None
    renamed: dict[str, str] = field(default_factory=dict)
    data_options: DataOptions = field(default_factory=DataOptions)
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

    options: FitOptions
    group: ProcessGroup
    source: Source
    layout: Layout
    scan: Scan
    store: PhotoStore | None
    split: Split
    spec: Spec
    pretrained: PretrainedWeights
    anew: bool = False
    lost: int = 0

    @property
    def identity(self) -> dict[str, Any]:
        """What must be the same for a resumed run to be the same run: plain JSON."""
        found = {
            "architecture": self.spec.architecture,
            "classes": self.spec.classes,
            "recipe": asdict(self.options.recipe),
            "data": self.scan.digest,
            "split": self.split.digest,
            "weights": self.pretrained.digest,
        }
        plain: dict[str, Any] = json.loads(json.dumps(found))
        return plain

    @property
    def share(self) -> int:
        """Photos of a batch that one process has."""
        return max(1, self.options.recipe.batch_size // self.group.size)

    def features_key(self, precision: str) -> str:
        """Digest of all that the cached features depend on."""
        shorter = shorter_side(self.spec, self.options.recipe)
        parts = [self.split.digest, self.pretrained.digest, json.dumps(asdict(self.spec)), precision, str(shorter)]
        parts += [self.group.device.type, torch.__version__]
        return "features-" + hashlib.sha256("\n".join(parts).encode()).hexdigest()

    def probe_key(self, precision: str) -> str:
        """Digest of all that the cached probe depends on."""
        recipe = self.options.recipe
        parts = [self.features_key(precision), recipe.class_weights, *map(repr, recipe.probe_penalties)]
        return "probe-" + hashlib.sha256("\n".join(parts).encode()).hexdigest()

    def labelled(self, photos: tuple[Photo, ...], *, exact: bool = False) -> LabelledPhotos:
        """Photos of one side, with the indices of their classes; `exact` ones are read from their files."""
        index_of = {folder: index for index, folder in enumerate(self.layout.folders)}
        if exact:
            return LabelledPhotos(self.source, photos, index_of)
        return LabelledPhotos(self.source, photos, index_of, self.store, shorter_side(self.spec, self.options.recipe))

    def network(self) -> nn.Module:
        """The architecture with the parent's backbone and a new head."""
        torch.manual_seed(self.options.recipe.seed)
        network = architectures.build(self.spec.architecture, len(self.spec.classes), channels=self.spec.channels)
        architectures.load_backbone(network, self.pretrained.weights)
        return network


def prepare(options: FitOptions, console: Console, group: ProcessGroup | None = None, *, dry: bool = False) -> Prepared:
    """Check that the output may be written, read the parent, scan and split the data: what may fail soon goes first.

    A `dry` run writes nothing but to the cache.
    """
    group = group or SingleProcess(options.device)
    anew = False
    if group.rank == 0 and not dry:
        anew = claim(
            options.output,
            options.folder,
            resume=options.resume,
            overwrite=options.overwrite,
            launch=launched(),
            restarted=was_restarted(),
        )
    source = open_source(options.data, options.data_options, unpacked=options.cache.unpacked)
    found = layout(source, options.data_options)
    classes = class_names(found, options.renamed)
    for line in layout_messages(found, classes):
        print_line(console, line)
    pretrained = load_pretrained(options.architecture, options.weights, options.weights_licence)
    recipe = options.recipe
    spec = spec_at(replace(pretrained.spec, classes=classes, temperature=1.0), recipe)
    if recipe.grey:
        spec = in_grey(spec)
    with group.in_turn():
        scan, store = scan_and_store(source, found, options.cache, shorter_side(spec, recipe), options.workers, console)
    print_line(console, summary(scan))
    if group.rank == 0 and not dry:
        write_findings(options.folder.findings_file, scan.findings)
        print_line(console, f"the list is in {options.folder.findings_file}")
    fractions = {"validation": recipe.validation, "test": recipe.test}
    why, leave_out = exclusion_reasons(found, scan.findings), exclusion_options(found, options.data_options)
    sides = split(scan.photos, found.folders, **fractions, seed=recipe.seed, why=why, leave_out=leave_out)
    _check_shares(min(recipe.batch_size, len(sides.train)), len(sides.validation), group.size)
    ready = Prepared(options, group, source, found, scan, store, sides, spec, pretrained, anew)
    return _as_begun(ready, console) if options.finish else ready


def _as_begun(ready: Prepared, console: Console) -> Prepared:
    """The same with the sides that the run has had: what it has learnt is not lost with a file or two."""
    begun = ready.options.folder.load_split(ready.scan.photos)
    if begun is None or begun[1] == 0 or not all(begun[0].by_name.values()):
        return ready
    print_line(console, f"{begun[1]:,} of the photos that the run began with are gone: it is finished with the others")
    return replace(ready, split=begun[0], lost=begun[1])


def _check_shares(batch: int, validation: int, processes: int) -> None:
    """Each process has as many photos of a batch as the others: their gradients count the same."""
    if batch % processes:
        raise BadRecipe(f"{processes} processes cannot share batches of {batch} photos evenly: change batch_size")
    if validation < processes:
        raise BadRecipe(f"{validation} photos of validation are too few for {processes} processes: start fewer")

"""Prepares a run before the network computes anything: reads the data, splits it, and loads the pretrained weights."""

import hashlib
import json
import time
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Generic, TypeVar

import torch
from rich.console import Console
from torch import nn

from models.spec import Spec
from training.console import print_line, summary
from training.data.data_set import DataSet, open_data_set
from training.data.layout.layout import class_names, layout_messages
from training.data.split import Split
from training.options import TrainingOptions
from training.preprocessing import in_grey, shorter_side, spec_at
from training.pretrained import PretrainedWeights, load_pretrained
from training.process_group import ProcessGroup, SingleProcess
from training.recipe import BadRecipe
from training.tables import write_findings

Options = TypeVar("Options", bound=TrainingOptions)
AnyOptions = TypeVar("AnyOptions", bound=TrainingOptions, covariant=True)


@dataclass(frozen=True)
class PreparedRun(Generic[AnyOptions]):
    """Everything that a run needs to start. `lost` counts photos that a resumed run began with and that are gone.

    `begun` is when preparing began, on the clock of time.monotonic().
    """

    options: AnyOptions
    group: ProcessGroup
    data: DataSet
    split: Split
    spec: Spec
    pretrained: PretrainedWeights
    lost: int = 0
    begun: float = field(default_factory=time.monotonic)

    @property
    def identity(self) -> dict[str, Any]:
        """What must be the same for a resumed run to be the same run: plain JSON."""
        values = {
            "architecture": self.spec.architecture,
            "classes": self.spec.classes,
            "recipe": asdict(self.options.recipe),
            "data": self.data.scan.digest,
            "split": self.split.digest,
            "weights": self.pretrained.digest,
        }
        plain: dict[str, Any] = json.loads(json.dumps(values))
        return plain

    @property
    def batch_share(self) -> int:
        """Number of photos of each batch that one process gets."""
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

    def network(self) -> nn.Module:
        """The architecture with the pretrained backbone and a new head."""
        torch.manual_seed(self.options.recipe.seed)
        return self.pretrained.network(self.spec)


def prepare(
    options: Options,
    console: Console,
    group: ProcessGroup | None = None,
    *,
    licence: str | None = None,
    findings_file: Path | None = None,
) -> PreparedRun[Options]:
    """Read the weights, then scan and split the data: what may fail soon goes first.

    `licence` is the licence of the weights if their file does not state one. Writes nothing but the cache and
    `findings_file`, the table of files that are left out or unusual. Raises the errors of what it reads.
    """
    begun, group = time.monotonic(), group or SingleProcess(options.device)
    opened = open_data_set(options.data, options.data_options, options.cache.unpacked)
    classes = class_names(opened.layout, options.renamed)
    for message in layout_messages(opened.layout, classes):
        print_line(console, message)
    pretrained = load_pretrained(options.architecture, options.weights, licence)
    for warning in pretrained.warnings:
        print_line(console, f"warning: {warning}")
    recipe = options.recipe
    spec = spec_at(replace(pretrained.spec, classes=classes, temperature=1.0), recipe)
    if recipe.grey:
        spec = in_grey(spec)
    with group.in_turn():
        data = opened.scan(options.cache, shorter_side(spec, recipe), options.workers, console)
    print_line(console, summary(data.scan))
    if findings_file is not None:
        write_findings(findings_file, data.scan.findings)
        print_line(console, f"the list is in {findings_file}")
    split = data.split(validation=recipe.validation, test=recipe.test, seed=recipe.seed)
    check_batch_shares(min(recipe.batch_size, len(split.train)), len(split.validation), group.size)
    return PreparedRun(options, group, data, split, spec, pretrained, begun=begun)


def check_batch_shares(batch: int, validation: int, processes: int) -> None:
    """Make sure that all processes have equally many photos of a batch, since their gradients count the same.

    Raises BadRecipe.
    """
    if batch % processes:
        raise BadRecipe(f"{processes} processes cannot share batches of {batch} photos evenly: change batch_size")
    if validation < processes:
        raise BadRecipe(
            f"the validation split has too few photos ({validation}) for {processes} processes: start fewer processes"
        )

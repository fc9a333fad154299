"""What `fit` and `find-lr` are asked for: each option once, with the text that --help prints."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

import torch

from models.classifier import choose_device
from training.cache import Cache
from training.command_line import CommandLine
from training.data.loading.workers import default_workers
from training.data.options import DataOptions
from training.data.sources.downloads import DATA_SETS
from training.recipe import Recipe
from training.run_folder import RunFolder

Data = Annotated[
    Path,
    "The photos: a folder or an archive (zip, tar, tar.gz, tar.bz2, tar.xz, tar.zst) with one sub-folder per class, or "
    "with these sub-folders below train/, val/ and test/ if the data is already split (--labels and --label-from read "
    f"other layouts); or the name of a data set that is downloaded once: {', '.join(DATA_SETS)}.",
    CommandLine(positional=True),
]
Architecture = Annotated[
    str, "Architecture of the network, by the name of a torchvision classifier, such as resnet50 or convnext_tiny."
]
Weights = Annotated[
    Path | None,
    "Pretrained weights to start from: a .safetensors or .pth file of this architecture, or a checkpoint that fit "
    "has written. By default torchvision's own weights, trained on ImageNet, are downloaded.",
    CommandLine(old_name="--parent"),
]
Renamed = Annotated[
    dict[str, str],
    "FOLDER=CLASS: the class of this folder is called CLASS instead of being called like the folder. Give the option "
    "several times for several folders.",
    CommandLine(name="--rename"),
]
Workers = Annotated[
    int,
    "Number of processes that decode photos; with 0 the main process decodes them. By default one per CPU core, and at "
    "most 8.",
    CommandLine(least=0, default=default_workers),
]
Device = Annotated[
    torch.device,
    "Device that the network runs on: cpu, cuda, cuda:1, mps or auto, which chooses a GPU where there is one. The "
    "default is auto.",
    CommandLine(default=lambda: choose_device("auto")),
]


@dataclass(frozen=True, kw_only=True)
class TrainingOptions:
    """What every training needs, whether `fit` writes a checkpoint or `find-lr` suggests a learning rate."""

    data: Data
    architecture: Architecture = "mobilenet_v2"
    weights: Weights = None
    renamed: Renamed = field(default_factory=dict)
    workers: Workers = 0
    device: Device = field(default_factory=lambda: torch.device("cpu"))
    cache: Cache = field(default_factory=Cache)
    data_options: DataOptions = field(default_factory=DataOptions)
    recipe: Recipe = field(default_factory=Recipe)


@dataclass(frozen=True, kw_only=True)
class FitOptions(TrainingOptions):
    """What `fit` needs in addition.

    `epochs_asked` is False where the number of epochs is only the default: a run that is resumed then keeps the number
    that it was planned for.
    """

    output: Annotated[
        Path,
        "The checkpoint to write, a *.safetensors file; its model card is written beside it with the ending .md.",
    ]
    weights_licence: Annotated[
        str | None,
        "Licence of the pretrained weights, for the model card; by default what the file itself says, or else unknown.",
        CommandLine(old_name="--parent-licence"),
    ] = None
    phase: Annotated[
        Literal["all", "probe"],
        "Which part of the training to run. all: the linear probe, which trains a new head on the pretrained features, "
        "and then fine-tuning. probe: the linear probe alone; --resume continues with fine-tuning later.",
    ] = "all"
    resume: Annotated[
        bool,
        "Continue a run that was stopped, from its last saved state; or extend a finished run to more --epochs.",
    ] = False
    finish: Annotated[
        bool,
        "Together with --resume: stop training, and write the best weights so far as the checkpoint.",
    ] = False
    overwrite: Annotated[
        bool, "Start a new run even if there is an earlier run or checkpoint of this name, and replace it."
    ] = False
    save_every_s: Annotated[
        float,
        "Seconds between two saves of the state that --resume needs; it is also saved after every epoch. A crash loses "
        "at most the steps since the last save.",
        CommandLine(name="--save-every", least=0),
    ] = 60.0
    robustness_photos: Annotated[
        int,
        "Largest number of photos of the test split that are attacked at the end, to measure accuracy under attack; 0 "
        "measures none. More photos measure more exactly, and take proportionally more time.",
        CommandLine(least=0),
    ] = 500
    robustness_seconds: Annotated[
        float | None,
        "Seconds for measuring accuracy under attack, once the checkpoint can be used: no photo is attacked that would "
        "end later, and at least one is; inf sets no limit. By default a tenth of the time that the run has taken, or "
        "20 if that is more.",
        CommandLine(least=0),
    ] = None
    tensorboard: Annotated[bool, "Also write the figures of each epoch to the run folder for TensorBoard."] = False
    runs: Annotated[
        Path,
        "Folder in which the run folder is made. It has the name of the output, and holds the saved state, tables and "
        "plots of the run.",
    ] = Path("runs")
    epochs_asked: bool = True

    @property
    def folder(self) -> RunFolder:
        """Where the run keeps what it needs to continue."""
        return RunFolder(self.runs / self.output.stem)

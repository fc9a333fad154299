"""How often the check of `training import` finds a mistake in the preprocessing, and how often it is wrong.

Networks that were trained on ImageNet are asked about photos of its classes, once as they should be fed and once with
each of several mistakes. Then the check decides about many random selections of the photos, each of the same number.
Needs ../shared. Nothing depends on the time, so anything may run beside it. It takes two minutes for each mistake.
"""

import argparse
import sys
import zipfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file

from benchmarks.parts import SKIPPED
from models import architectures, pictures
from models.architectures.timm_networks import imagenet_names
from models.classes import UnknownClass
from models.classifier import Classifier
from models.spec import Spec
from training.importing import doctor
from training.importing.alternatives import alternatives
from training.importing.class_order import find_reordering
from training.importing.photos import Photos
from training.importing.trial import Trial, choose

SHARED = Path(__file__).parents[2] / "shared"
RIGHT = Spec("mobilenet_v2", imagenet_names())
MISTAKES: Mapping[str, Mapping[str, Any]] = {
    "none": {},
    "values from -1 to 1": {"mean": (0.5,) * 3, "std": (0.5,) * 3},
    "values from 0 to 1": {"mean": (0.0,) * 3, "std": (1.0,) * 3},
    "values from 0 to 255": {"mean": (0.0,) * 3, "std": (1 / 255,) * 3},
    "BGR": {"colours": "BGR"},
    "squashed": {"resize": 224, "resize_mode": "squash"},
    "padded": {"resize": 224, "resize_mode": "pad"},
    "resized to 512": {"resize": 512},
    "resized to 224": {"resize": 224},
    "classes in alphabetical order": {"classes": tuple(sorted(RIGHT.classes))},
}
"""What differs from the spec of the network in each."""


def objects_of_imagenet(shared: Path) -> Photos:
    """100 photos of 100 of ImageNet's classes."""
    with zipfile.ZipFile(shared / "data" / "imagenet-samples.zip") as archive:
        names = sorted(name for name in archive.namelist() if name.endswith((".jpg", ".JPEG")))
        return [(pictures.decode(archive.read(name)), int(Path(name).name.partition("_")[0])) for name in names]


def pets_of_imagenet(shared: Path) -> Photos:
    """190 photos of the 19 breeds of cats and dogs that are classes of ImageNet."""
    photos = []
    with zipfile.ZipFile(shared / "data" / "oxford-iiit-pet.zip") as archive:
        for name in sorted(archive.namelist()):
            with suppress(UnknownClass):
                if name.endswith(".jpg"):
                    index = RIGHT.names.by_name(Path(name).stem.rpartition("_")[0])
                    photos.append((pictures.decode(archive.read(name)), index))
    return photos


def trials_of(architecture: str, photos: Photos, mistake: Mapping[str, Any]) -> list[Trial]:
    """Every alternative, on all photos."""
    network = architectures.build(architecture, len(RIGHT.classes))
    network.load_state_dict(load_file(SHARED / "weights" / f"{architecture}-imagenet1k.safetensors"))
    spec = replace(RIGHT, architecture=architecture, **mistake)
    own = [(pixels, spec.classes.index(RIGHT.classes[label])) for pixels, label in photos]
    questions = doctor.Questions(Classifier(network, spec), own, lambda items, total: items)
    return questions.try_all(alternatives(spec), questions.ask(spec))


def found(trials: Sequence[Trial], chosen: torch.Tensor) -> str:
    """What the check says first about the chosen photos; empty if nothing."""
    before = trials[0].before.of(chosen)
    best = choose([Trial(trial.alternative, trial.scores.of(chosen), before) for trial in trials])
    if best is not None:
        return best.alternative.name
    order = find_reordering(before.logits, before.labels, trials[0].alternative.spec.classes)
    return "" if order is None else order.name


def main() -> int:
    """Print a line for each network and mistake: accuracy, and the share of selections of which something is said."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--architectures", default="mobilenet_v2,squeezenet1_1")
    parser.add_argument("--mistakes", default=",".join(MISTAKES), help="names of mistakes (all)")
    parser.add_argument("--every", type=int, default=1, help="take every so many of the photos")
    parser.add_argument("--counts", default="50,100,200", help="numbers of photos of a selection")
    parser.add_argument("--selections", type=int, default=300, help="number of random selections for each count")
    options = parser.parse_args()
    if not SHARED.is_dir():
        print(f"There is no folder {SHARED}.")
        return SKIPPED
    photos = [*objects_of_imagenet(SHARED), *pets_of_imagenet(SHARED)][:: options.every]
    counts = [int(count) for count in options.counts.split(",")]
    doctor.FIRST_LOOK = len(photos) + 1  # no alternative is given up
    for architecture in options.architectures.split(","):
        for name in options.mistakes.split(","):
            trials, random = trials_of(architecture, photos, MISTAKES[name]), torch.Generator().manual_seed(0)
            print(f"{architecture}, {name}: accuracy {trials[0].before.accuracy:.3f}", flush=True)
            for count in counts:
                sayings = [
                    found(trials, torch.randperm(len(photos), generator=random)[:count])
                    for _ in range(options.selections)
                ]
                share = sum(saying != "" for saying in sayings) / len(sayings)
                said = sorted({saying for saying in sayings if saying}, key=sayings.count, reverse=True)
                words = "; ".join(f"{saying} {sayings.count(saying)}" for saying in said[:3])
                print(f"  {count} photos: something is said of {share:.1%} ({words})", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())

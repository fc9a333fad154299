"""Our recipe compared with fastai's own: the same network, weights, split, size and number of epochs.

python -m benchmarks.training_fastai --data cats-vs-dogs.zip --weights mobilenet_v2-imagenet1k.safetensors

fastai's own package is run if it can be imported: .venv/bin/uv pip install --python .venv/bin/python fastai
Its recipe is `fine_tune(epochs)` of a vision learner with `aug_transforms()`: one epoch of the head, then all layers
by one cycle. It costs one epoch more than ours, whose probe is fitted to cached features. Seconds are those of training
with its validation: ours begin when the photos are decoded, which is done once per data
set and printed separately, and fastai's when they are in folders. The test photos are measured afterwards.
"""

import argparse
import tempfile
import time
from pathlib import Path, PurePosixPath
from typing import Any
from unittest.mock import patch

import torch
from rich.console import Console

from benchmarks.measure import machine
from models import checkpoint
from training.cache import Cache
from training.data.loading.workers import default_workers
from training.finish import finish
from training.fit import FitRun
from training.metrics import Metrics
from training.options import FitOptions
from training.prepare import PreparedRun, prepare
from training.recipe import Recipe


def ours(ready: PreparedRun[FitOptions], console: Console) -> tuple[float, float]:
    """The accuracy on the test split, and the seconds of training without the final evaluation."""
    ends = []

    def finish_timed(*arguments: Any) -> Metrics:
        ends.append(time.perf_counter())
        return finish(*arguments)

    begun = time.perf_counter()
    with patch("training.fit.finish", finish_timed):
        metrics = FitRun(ready, console).complete()
    assert metrics is not None
    return metrics.accuracy, ends[0] - begun


def write_splits(ready: PreparedRun[FitOptions], folder: Path) -> None:
    """Write the unchanged files of our three splits as folders, the layout that fastai reads."""
    for split, photos in ready.split.by_name.items():
        data = ready.data.labelled(photos)
        for index, photo in enumerate(photos):
            ending = PurePosixPath(photo.name).suffix
            path = folder / split / ready.spec.classes[data.label(index)] / f"{photo.digest[:20]}{ending}"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(ready.data.source.read(photo.name))


def fastais(ready: PreparedRun[FitOptions], folder: Path, options: argparse.Namespace) -> tuple[float, float]:
    """The accuracy on the test split, and the seconds of training without the final evaluation."""
    from fastai.vision.all import (  # type: ignore[import-not-found, unused-ignore]
        ImageDataLoaders,
        Learner,
        Normalize,
        Resize,
        accuracy,
        add_head,
        aug_transforms,
        create_body,
        default_split,
        imagenet_stats,
        models,
        set_seed,
    )

    set_seed(options.seed)
    loaders = ImageDataLoaders.from_folder(
        folder,
        train="train",
        valid="validation",
        item_tfms=Resize(round(options.size * 1.15)),
        batch_tfms=[*aug_transforms(size=options.size), Normalize.from_stats(*imagenet_stats)],
        bs=options.batch_size,
        seed=options.seed,
        num_workers=default_workers(),
    )
    # What its vision_learner builds for a network that it knows: the backbone, both poolings, batch norm, two layers.
    body = create_body(models.mobilenet_v2(), cut=1)
    body[0].load_state_dict(
        {
            key.removeprefix("features."): tensor
            for key, tensor in ready.pretrained.weights.items()
            if "features." in key
        }
    )
    learner: Any = Learner(
        loaders,
        add_head(body, ready.pretrained.weights["classifier.1.weight"].shape[1], len(loaders.vocab)),
        splitter=default_split,
        metrics=accuracy,
    )
    begun = time.perf_counter()
    learner.fine_tune(options.epochs)
    seconds = time.perf_counter() - begun
    files = sorted((folder / "test").glob("*/*"))
    test = loaders.test_dl(files, with_labels=False)
    scores, _ = learner.get_preds(dl=test)
    labels = torch.tensor([loaders.vocab.o2i[file.parent.name] for file in files])
    return (scores.argmax(dim=1) == labels).float().mean().item(), seconds


def main() -> None:
    """Print accuracy and seconds of both libraries."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=False, help="a folder or zip of photos")
    parser.add_argument("--weights", type=Path, required=False, help="pretrained weights of MobileNetV2")
    parser.add_argument("--size", type=int, default=160)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--seed", type=int, default=0, help="seed of the split and of both training runs")
    parser.add_argument(
        "--test",
        type=float,
        default=0.5,
        help="fraction of the photos for the test split; a quarter of the rest is for validation",
    )
    options = parser.parse_args()
    print(machine(torch.device("cpu")))
    if options.data is None or options.weights is None:
        print("needs --data and --weights")
        return
    recipe = Recipe(
        seed=options.seed,
        input_size=options.size,
        epochs=options.epochs,
        full_size_epochs=options.epochs,
        batch_size=options.batch_size,
        test=options.test,
        validation=(1 - options.test) / 4,
    )
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        fit_options = FitOptions(
            data=options.data,
            output=folder / "ours.safetensors",
            architecture="mobilenet_v2",
            recipe=recipe,
            weights=options.weights,
            workers=default_workers(),
            cache=Cache(folder / "cache"),
            runs=folder / "runs",
            robustness_photos=0,
        )
        console = Console(quiet=True)
        begun = time.perf_counter()
        ready = prepare(fit_options, console)
        decoded = time.perf_counter() - begun
        counts = ", ".join(f"{split} {len(photos):,}" for split, photos in ready.split.by_name.items())
        print(f"{counts}; {options.epochs} epochs at {options.size} px, batches of {options.batch_size}")
        accuracy, seconds = ours(ready, console)
        provenance = checkpoint.read(fit_options.output).provenance
        chosen = f"in {provenance['recipe']['precision']}, kept {provenance['kept']['weights']}"
        before = f"after {decoded:.0f} s in which all photos were looked at and decoded"
        print(f"mirage: {accuracy:.2%} of the test photos, {seconds:.0f} s ({chosen}; {before})", flush=True)
        write_splits(ready, folder / "sides")
        try:
            accuracy, seconds = fastais(ready, folder / "sides", options)
        except ImportError as error:
            print(f"fastai is not run: {error}")
            return
        print(f"fastai: {accuracy:.2%} of the test photos, {seconds:.0f} s")


if __name__ == "__main__":
    main()

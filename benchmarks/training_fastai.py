"""Our recipe beside fastai's own: the same network, weights, split, size and number of epochs.

python -m benchmarks.training_fastai --data cats-vs-dogs.zip --parent mobilenet_v2-imagenet1k.safetensors

fastai's own package is run where it can be imported: .venv/bin/uv pip install --python .venv/bin/python fastai
Its recipe is `fine_tune(epochs)` of a vision learner with `aug_transforms()`: one epoch of the head, then all layers
by one cycle. It costs one epoch more than ours, whose probe is fitted to cached features.
"""

import argparse
import tempfile
import time
from pathlib import Path, PurePosixPath
from typing import Any

import torch
from rich.console import Console

from benchmarks.measure import machine
from models import checkpoint
from training.cache import Cache
from training.data.workers import default_workers
from training.fit import fit
from training.prepare import Job, Prepared, prepare
from training.recipe import Recipe


def ours(job: Job, console: Console) -> float:
    """Accuracy on the test side."""
    metrics = fit(job, console)
    assert metrics is not None
    return metrics.accuracy


def write_sides(ready: Prepared, folder: Path) -> None:
    """The sides of our split as folders, as fastai wants them, of the files as they are."""
    for side, photos in ready.split.sides.items():
        data = ready.labelled(photos)
        for index, photo in enumerate(photos):
            ending = PurePosixPath(photo.name).suffix
            place = folder / side / ready.spec.classes[data.label(index)] / f"{photo.digest[:20]}{ending}"
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(ready.source.read(photo.name))


def fastais(ready: Prepared, folder: Path, size: int, epochs: int, batch_size: int) -> tuple[float, float]:
    """Accuracy on the test side, and the seconds of training alone."""
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
    )

    loaders = ImageDataLoaders.from_folder(
        folder,
        train="train",
        valid="validation",
        item_tfms=Resize(round(size * 1.15)),
        batch_tfms=[*aug_transforms(size=size), Normalize.from_stats(*imagenet_stats)],
        bs=batch_size,
        seed=0,
        num_workers=default_workers(),
    )
    # What its vision_learner builds of a network that it knows: the trunk, both poolings, batch norm, two layers.
    body = create_body(models.mobilenet_v2(), cut=1)
    body[0].load_state_dict(
        {key.removeprefix("features."): tensor for key, tensor in ready.parent.weights.items() if "features." in key}
    )
    learner: Any = Learner(
        loaders,
        add_head(body, ready.parent.weights["classifier.1.weight"].shape[1], len(loaders.vocab)),
        splitter=default_split,
        metrics=accuracy,
    )
    begun = time.perf_counter()
    learner.fine_tune(epochs)
    seconds = time.perf_counter() - begun
    files = sorted((folder / "test").glob("*/*"))
    test = loaders.test_dl(files, with_labels=False)
    scores, _ = learner.get_preds(dl=test)
    wanted = torch.tensor([loaders.vocab.o2i[file.parent.name] for file in files])
    return (scores.argmax(dim=1) == wanted).float().mean().item(), seconds


def main() -> None:
    """Print both lines."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=False, help="a folder or zip of photos")
    parser.add_argument("--parent", type=Path, required=False, help="weights of MobileNetV2")
    parser.add_argument("--size", type=int, default=160)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--test", type=float, default=0.5, help="fraction that judges; a quarter of the rest chooses")
    options = parser.parse_args()
    print(machine(torch.device("cpu")))
    if options.data is None or options.parent is None:
        print("needs --data and --parent")
        return
    recipe = Recipe(
        input_size=options.size,
        epochs=options.epochs,
        full_size_epochs=options.epochs,
        batch_size=options.batch_size,
        test=options.test,
        validation=(1 - options.test) / 4,
    )
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        job = Job(
            options.data,
            folder / "ours.safetensors",
            "mobilenet_v2",
            recipe,
            options.parent,
            workers=default_workers(),
            cache=Cache(folder / "cache"),
            runs=folder / "runs",
            robustness_photos=0,
        )
        console = Console(quiet=True)
        begun = time.perf_counter()
        accuracy = ours(job, console)
        seconds = time.perf_counter() - begun
        kept = checkpoint.read(job.output).provenance["kept"]
        ready = prepare(job, console, dry=True)
        counts = ", ".join(f"{side} {len(photos):,}" for side, photos in ready.split.sides.items())
        print(f"{counts}; {options.epochs} epochs at {options.size} px, batches of {options.batch_size}")
        print(
            f"mirage: {accuracy:.2%} of the test photos, {seconds:.0f} s (all of it; kept {kept['weights']})",
            flush=True,
        )
        write_sides(ready, folder / "sides")
        try:
            accuracy, seconds = fastais(ready, folder / "sides", options.size, options.epochs, options.batch_size)
        except ImportError as error:
            print(f"fastai is not run: {error}")
            return
        print(f"fastai: {accuracy:.2%} of the test photos, {seconds:.0f} s (training alone)")


if __name__ == "__main__":
    main()

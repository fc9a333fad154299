"""How long `fit` takes until its checkpoint can be used, compared with one pass over the same photos.

    python -m benchmarks.training_first_result --rounds 3

The photos are 300 cats and 300 dogs. One pass decodes each file and shows each photo to the network once, in batches of
32 in one process. The command starts with an empty cache; its time includes the start of Python and all imports. The
bound is twice the pass and 10 s.
"""

import argparse
import subprocess
import sys
import tempfile
import time
import zipfile
from dataclasses import replace
from pathlib import Path

import torch

from benchmarks.measure import machine
from benchmarks.parts import SKIPPED
from benchmarks.results import Figure, write_figures
from models import architectures
from models.classifier import Classifier, choose_device
from models.pictures import decode
from models.preprocessing import preprocess, to_float
from training.pretrained import load_pretrained

SHARED = Path(__file__).parents[2] / "shared"
ARCHIVE = SHARED / "data" / "cats-vs-dogs.zip"
WEIGHTS = SHARED / "weights" / "mobilenet_v2-imagenet1k.safetensors"
ARCHITECTURE = "mobilenet_v2"
PHOTOS, BATCH = 300, 32
"""Number of photos of each class, and of a batch of the pass."""
READY = "is ready"
"""A line of `fit` that has these words is printed as soon as the checkpoint is on the disk."""
ONE_PASS, PROBE, FINE_TUNING = "one pass over 600 photos", "fit --phase probe", "fit"


def unpack(archive: Path, folder: Path) -> None:
    """Write the first PHOTOS photos of each class into a folder of its own."""
    with zipfile.ZipFile(archive) as opened:
        for name in ("Cat", "Dog"):
            (folder / name).mkdir(parents=True)
            photos = sorted(entry for entry in opened.namelist() if f"/{name}/" in entry and entry.endswith(".jpg"))
            for photo in photos[:PHOTOS]:
                (folder / name / Path(photo).name).write_bytes(opened.read(photo))


def one_pass(folder: Path, weights: Path, device: torch.device) -> float:
    """Seconds to decode every photo and to show it to the network once; loading the network does not count."""
    pretrained = load_pretrained(ARCHITECTURE, weights, None)
    network = architectures.build(ARCHITECTURE, 2)
    architectures.load_backbone(network, pretrained.weights)
    classifier = Classifier(network, replace(pretrained.spec, classes=("cat", "dog")), device=device)
    files = sorted(folder.rglob("*.jpg"))

    def show(some: list[Path]) -> None:
        pixels = [preprocess(to_float(decode(file.read_bytes())).unsqueeze(0), classifier.spec) for file in some]
        with torch.no_grad():
            classifier.logits(torch.cat(pixels)).cpu()

    show(files[:BATCH])  # lazy initialisation
    begun = time.perf_counter()
    for first in range(0, len(files), BATCH):
        show(files[first : first + BATCH])
    return time.perf_counter() - begun


def command_seconds(photos: Path, weights: Path, options: list[str]) -> tuple[float, float]:
    """Seconds from the command until the checkpoint is on the disk, and until the process ends; with an empty cache."""
    with tempfile.TemporaryDirectory() as place:
        output = Path(place) / "m.safetensors"
        words = ["fit", str(photos), "--output", str(output), "--weights", str(weights), *options]
        words += ["--cache", f"{place}/cache", "--runs", f"{place}/runs"]
        begun, ready = time.perf_counter(), 0.0
        command = [sys.executable, "-u", "-m", "training", *words]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            for line in process.stdout:
                print(f"  {time.perf_counter() - begun:6.1f} s  {line.rstrip().replace(place, '')}", flush=True)
                if READY in line and not ready:
                    ready = time.perf_counter() - begun
                    assert output.is_file()
        if process.returncode:
            raise SystemExit(f"the command ended with {process.returncode}")
        return ready, time.perf_counter() - begun


def measure(options: argparse.Namespace, photos: Path) -> list[Figure]:
    """All figures; each round runs the pass and the commands in turn."""
    commands = {PROBE: ["--phase", "probe"]} | ({FINE_TUNING: []} if options.fine_tuning else {})
    samples: dict[str, list[float]] = {ONE_PASS: []}
    for _ in range(options.rounds):
        samples[ONE_PASS].append(one_pass(photos, options.weights, options.device))
        for name, words in commands.items():
            ready, end = command_seconds(photos, options.weights, [*words, "--device", str(options.device)])
            samples.setdefault(f"{name}: until the checkpoint", []).append(ready)
            samples.setdefault(f"{name}: until the end", []).append(end)
    passes, probes = samples[ONE_PASS], samples[f"{PROBE}: until the checkpoint"]
    shares = [seconds / (2 * whole + 10) for seconds, whole in zip(probes, passes, strict=True)]
    figures = [Figure(name, "s", seconds) for name, seconds in samples.items()]
    return [*figures, Figure(f"{PROBE}: until the checkpoint, as a fraction of the bound", "ratio", shares)]


def main() -> None:
    """Print the figures, and write them with --json."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--archive", type=Path, default=ARCHIVE, help="zip with the folders Cat and Dog")
    parser.add_argument("--weights", type=Path, default=WEIGHTS, help="pretrained weights of MobileNetV2")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--fine-tuning", action="store_true", help="also measure fit with all its defaults: minutes")
    parser.add_argument("--device", type=choose_device, default="auto")
    parser.add_argument("--json", type=Path, help="file for the figures")
    options = parser.parse_args()
    if not (options.archive.is_file() and options.weights.is_file()):
        print("there are no photos of cats and dogs or no weights of MobileNetV2: give --archive and --weights")
        sys.exit(SKIPPED)
    print(machine(options.device))
    with tempfile.TemporaryDirectory() as place:
        unpack(options.archive, Path(place) / "photos")
        figures = measure(options, Path(place) / "photos")
    for figure in figures:
        print(f"{figure.name}: {figure.text}")
    if options.json is not None:
        write_figures(options.json, figures)


if __name__ == "__main__":
    main()

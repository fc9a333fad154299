"""Ideal pictures compared with lucent's, at the same number of gradient evaluations: same network, classes, judge.

python -m benchmarks.ideals_lucent --evaluations 512

lucent's own package is run if it can be imported; it needs kornia 0.4.1 and IPython:
.venv/bin/uv pip install --python .venv/bin/python --no-deps torch-lucent==0.1.8 'kornia<=0.4.1'
.venv/bin/uv pip install --python .venv/bin/python ipython future decorator
"""

import argparse
import time
import warnings
from typing import Any

import numpy as np
import torch
from torch import Tensor

from benchmarks.ideals_subjects import CLASSES, Two, Verdict, load_two, summary
from benchmarks.measure import machine
from models.classifier import choose_device
from models.ideal import ideal
from models.layers import Layer
from models.run import run

CROPS = 4


def ours(two: Two, label: str, seed: int, evaluations: int) -> Tensor:
    """Draw with the default method and the options of `thorough`, with all the steps and no early stop."""
    options: dict[str, Any] = {
        "effort": "thorough",
        "seed": seed,
        "steps": evaluations // CROPS,
        "crops": CROPS,
        "patience": 0,
    }
    task = ideal(two.index(label), two.draws.spec, device=two.draws.classifier.device, **options)
    return run(task, two.draws.classifier).pictures[0].picture


def head(two: Two) -> Layer:
    """The layer that gives the class scores."""
    return two.draws.classifier.layers.find("classifier.1")


def lucents(two: Two, label: str, seed: int, evaluations: int) -> Tensor:
    """Draw a picture of 128 pixels with lucent's render_vis and its published defaults, except the number of steps."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from lucent.optvis import objectives, render  # type: ignore[import-not-found, unused-ignore]

        torch.manual_seed(seed)
        np.random.seed(seed)
        # Its transforms normalise by themselves, so it gets the network without our first layer.
        network = two.draws.classifier.network[1]
        objective = objectives.channel(head(two).name.replace(".", "_"), two.index(label))
        (image,) = render.render_vis(network, objective, thresholds=(evaluations,), progress=False, show_image=False)
        for module in network.modules():  # it leaves its hooks behind
            module._forward_hooks.clear()
    levels = (torch.from_numpy(np.asarray(image)[0]).permute(2, 0, 1).clamp(0, 1) * 255).round()
    return levels.to(torch.uint8)


def main() -> None:
    """Print a line per picture, and a summary per library."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--classes", nargs="+", default=list(CLASSES))
    parser.add_argument("--evaluations", type=int, default=512, help="rows with gradients; lucent's own default")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="auto")
    options = parser.parse_args()
    device = choose_device(options.device)
    print(machine(device))
    two = load_two(device)
    ways = {"mirage": ours, "lucent": lucents}
    try:
        lucents(two, options.classes[0], 0, 1)
    except ImportError as error:
        print(f"lucent cannot be imported ({error}): see --help for how to install it")
        del ways["lucent"]
    for name, way in ways.items():
        verdicts, seconds = [], []
        for label in options.classes:
            begun = time.perf_counter()
            picture = way(two, label, options.seed, options.evaluations)
            seconds.append(time.perf_counter() - begun)
            verdict: Verdict = two.verdict(picture, label)
            verdicts.append(verdict)
            own, other = verdict.score, verdict.other
            print(
                f"{name} {label:17} p {own.strength:.3f} R {own.robust:.3f} held out {own.held_out:.3f} "
                f"slope {own.slope:.2f} T {other.probability:.3f} ({other.top.label}) {seconds[-1]:.1f} s",
                flush=True,
            )
        print(f"{name}: {summary(verdicts)}; {sum(seconds) / len(seconds):.1f} s a picture", flush=True)


if __name__ == "__main__":
    main()

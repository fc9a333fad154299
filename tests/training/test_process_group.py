"""A run on two processes under torchrun, with gloo on the CPU."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from models import checkpoint
from tests.training.drawn import write_gratings, write_pretrained
from training.process_group import (
    DistributedProcesses,
    NoProcessGroup,
    SingleProcess,
    start_process_group,
    was_restarted,
)

pytest.importorskip("lightning_fabric")

REPOSITORY = Path(__file__).parents[2]

SCRIPT = """
import os, signal, sys, warnings
from dataclasses import replace
from pathlib import Path
warnings.simplefilter("ignore")
import torch
torch.set_num_threads(1)
from rich.console import Console
from training.cache import Cache
from training.fit import fit
from training.learner import Learner
from training.options import FitOptions
from training.recipe import Recipe

place, how = Path(sys.argv[1]), sys.argv[2:]
whole = Learner.learn

def learn(learner, *batch):
    if "die" in how and learner.step == 4 and not (place / "died").exists() and os.environ["RANK"] == "1":
        (place / "died").touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return whole(learner, *batch)

if __name__ == "__main__":
    Learner.learn = learn
    recipe = Recipe(epochs=3, full_size_epochs=1, batch_size=8, input_size=48, precision="float32", dropout=0.0,
                    optimiser="sgd", head_rate=1e-3, backbone_rate=1e-4)
    if "robust" in how:
        recipe = replace(recipe, attack_steps=1, frozen_statistics=False)
    if "balanced" in how:
        recipe = replace(recipe, class_weights="balanced")
    metrics = fit(FitOptions(data=place / "data", output=place / "stripes.safetensors",
                      architecture="shufflenet_v2_x0_5", recipe=recipe, weights=place / "weights.pth",
                      runs=place / "runs", save_every_s=0.0,
                      cache=Cache(place / "cache"), robustness_photos=0, overwrite=True), Console(width=200))
    print("FIGURES" if metrics else "NONE", flush=True)
"""


def launch(place: Path, processes: int, *modes: str, restarts: int = 0) -> str:
    """The output of a run; `processes` 1 is a plain process; modes are die, robust and balanced."""
    script = place / "train.py"
    script.write_text(SCRIPT)
    torchrun = ["-m", "torch.distributed.run", "--nproc-per-node", str(processes), "--max-restarts", str(restarts)]
    command = [sys.executable, *(torchrun if processes > 1 else []), str(script), str(place), *modes]
    # Without it a restarted process group waits for a store that ended with the first (docs/how-to/training.md).
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), "TORCH_DISABLE_SHARE_RDZV_TCP_STORE": "1"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=500)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def place(tmp_path: Path) -> Path:
    # The number of validation photos is odd: a sampler that pads would count one photo twice.
    write_gratings(tmp_path / "data", {"Reddish": 20, "Bluish": 26})
    write_pretrained(tmp_path / "weights.pth")
    return tmp_path


def test_a_single_process_changes_nothing() -> None:
    group, rows = SingleProcess(torch.device("cpu")), torch.arange(3)
    assert (group.rank, group.size) == (0, 1) and group.share("x") == "x" and torch.equal(group.collect(rows), rows)
    network = torch.nn.Linear(1, 1)
    assert group.join(network) is network
    group.backward(network(torch.ones(1, 1)).sum())
    assert group.mean(torch.tensor(2.0)) == 2
    assert network.weight.grad is not None
    assert isinstance(start_process_group(torch.device("cpu")), SingleProcess) and not was_restarted()


def test_without_fabric_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "lightning_fabric", None)
    with pytest.raises(NoProcessGroup, match=r"pip install lightning-fabric"):
        DistributedProcesses(torch.device("cpu"))


@pytest.mark.slow
@pytest.mark.parametrize("how", [(), ("balanced",)])
def test_two_processes_train_the_same_weights_as_one(place: Path, how: tuple[str, ...]) -> None:
    """Weights and metrics are the same to float tolerance; only one process writes.

    The recipe has SGD, since AdamW's first steps are signs, which magnify rounding, and no dropout, which is random.
    """
    launch(place, 1, *how)
    alone = checkpoint.read(place / "stripes.safetensors")
    output = launch(place, 2, *how)
    together = checkpoint.read(place / "stripes.safetensors")
    assert output.count("FIGURES") == output.count("NONE") == 1
    for row, other in zip(alone.provenance["history"], together.provenance["history"], strict=True):
        assert row["loss"] == pytest.approx(other["loss"], rel=1e-3)
        # The loss of photos with a probability near 1 has few digits in float32.
        assert row["raw_nll"] == pytest.approx(other["raw_nll"], rel=1e-3, abs=2e-6)
        assert row["raw_accuracy"] == other["raw_accuracy"]
    assert alone.provenance["metrics"]["validation"]["photos"] == 7
    for key, tensor in alone.weights.items():
        assert torch.allclose(tensor.float(), together.weights[key].float(), atol=1e-3, rtol=2e-3), key  # float16


@pytest.mark.slow
@pytest.mark.parametrize("how", [(), ("robust",)])
def test_a_run_completes_after_a_rank_was_killed(place: Path, how: tuple[str, ...]) -> None:
    """Rank 1 is killed by SIGKILL at its fifth step: torchrun restarts both, and the weights are as without a restart.

    This also holds for adversarial training with batch norm statistics that change.
    """
    launch(place, 2, *how)
    undisturbed = checkpoint.read(place / "stripes.safetensors")
    output = launch(place, 2, "die", *how, restarts=1)
    assert (place / "died").exists() and "continuing after step" in output
    restarted = checkpoint.read(place / "stripes.safetensors")
    assert all(torch.equal(tensor, restarted.weights[key]) for key, tensor in undisturbed.weights.items())

"""Programs of every kind of output are evaluated clean and under attack, with answers that are known in closed form."""

import io
from pathlib import Path

import pytest
import torch
from rich.console import Console
from torch import Tensor, nn

from models.attacks.options import BadAttack
from tests.integration.imported import SIDE, export, run_import
from tests.training.drawn import write_gratings
from training.evaluate import EvaluationOptions, evaluate

PLAIN = ("--input-size", str(SIDE), "--resize", str(SIDE), "--mean", "0", "--std", "1", "--device", "cpu")
NAMES = ("--classes", "Bluish,Reddish")
SMALL, LARGE = 0.1, 0.4
"""Red and blue of the gratings differ by 0.47 on average, so less than half of that changes no class, and more all."""


class RedOrBlue(nn.Module):
    """Twenty times the difference of the mean of red and that of blue, in the form of each kind of network."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.kind = kind

    def forward(self, pixels: Tensor) -> Tensor:
        means = pixels.detach().mean(dim=(2, 3)) if self.kind == "rounded" else pixels.mean(dim=(2, 3))
        red, blue = (2, 0) if self.kind == "BGR" else (0, 2)
        redder = 20 * (means[:, red] - means[:, blue]).unsqueeze(1)
        logits = torch.cat([-redder, redder], dim=1)
        if self.kind == "binary":
            return redder
        if self.kind == "background":
            return torch.cat([9 + 0 * redder, logits], dim=1)
        if self.kind == "probabilities":
            return logits.softmax(dim=1)
        return (10 * logits).round() / 10 if self.kind == "rounded" else logits


KINDS = {
    "logits": NAMES,
    "BGR": (*NAMES, "--colours", "BGR"),
    "binary": NAMES,
    "background": (*NAMES, "--background"),
    "probabilities": NAMES,
    "labels": (*NAMES, "--multi-label"),
    "rounded": NAMES,
}


@pytest.fixture(scope="module")
def gratings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_gratings(tmp_path_factory.mktemp("data") / "gratings", {"Reddish": 6, "Bluish": 6})


@pytest.mark.parametrize("kind", KINDS)
def test_accuracy_is_1_and_under_attack_falls_to_0_where_the_colours_can_be_exchanged(
    tmp_path: Path, gratings: Path, kind: str
) -> None:
    program, output = tmp_path / "program.pt2", tmp_path / "imported.safetensors"
    run_import(export(RedOrBlue(kind), program, rows=None), output, *PLAIN, *KINDS[kind])
    name, steps = ("square", 300) if kind == "rounded" else ("apgd", 10)
    attack = {"attack": name, "steps": steps, "epsilons": [SMALL, LARGE]}
    options = EvaluationOptions(str(output), gratings, "all", attack=attack, report=tmp_path / "report")
    metrics, curve = evaluate(options, Console(file=io.StringIO()))
    assert (metrics.photos, metrics.accuracy) == (12, 1.0)
    assert curve is not None
    assert [(row["epsilon"], row["accuracy"]) for row in curve["curve"]] == [(0, 1.0), (SMALL, 1.0), (LARGE, 0.0)]
    assert (tmp_path / "report" / "robustness.png").is_file()
    assert "Reddish" in (tmp_path / "report" / "report.html").read_text()


def test_an_attack_with_gradients_is_refused_where_there_are_none(tmp_path: Path, gratings: Path) -> None:
    program, output = tmp_path / "program.pt2", tmp_path / "imported.safetensors"
    run_import(export(RedOrBlue("rounded"), program, rows=None), output, *PLAIN, *NAMES)
    options = EvaluationOptions(str(output), gratings, "all", attack={"attack": "apgd"})
    with pytest.raises(BadAttack, match="square"):
        evaluate(options, Console(file=io.StringIO()))

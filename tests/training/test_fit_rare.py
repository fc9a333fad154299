import io
from dataclasses import replace
from pathlib import Path

from models import checkpoint
from tests.training.drawn import write_gratings
from tests.training.runs import (
    RECIPE,
    fit_options,
    quiet,
)
from training.fit import fit

STILL = replace(RECIPE, probe_penalties=(100.0,), head_rate=1e-9, backbone_rate=1e-9)


def unequal(place: Path) -> Path:
    """Forty photos of a class, and eight of another."""
    return write_gratings(place / "photos", {"frequent": 40, "rare": 8})


def test_a_class_that_is_never_predicted_is_warned_of_everywhere(tmp_path: Path, pretrained: Path) -> None:
    """86 % are right and every rare photo is missed: told at the terminal, on the card, in the report, in the file."""
    recipe = replace(STILL, epochs=1)
    asked, console = fit_options(tmp_path, unequal(tmp_path), pretrained, recipe=recipe), quiet()
    assert fit(asked, console) is not None
    found = checkpoint.read(asked.output).provenance
    metrics = found["metrics"]
    assert metrics["never_predicted"] == ["rare"] and metrics["balanced_accuracy"] == 0.5 < metrics["accuracy"]
    assert isinstance(console.file, io.StringIO)
    said = console.file.getvalue()
    assert "warning: the class 'rare' is never predicted on the test split" in said
    assert "or with --class-weights balanced." in said and "(balanced 0.5000, loss" in said
    assert "chosen by accuracy on the validation split" in said
    assert {"raw_balanced_accuracy", "ema_balanced_accuracy"} <= found["history"][0].keys()
    assert "raw_balanced_accuracy" in (asked.folder.path / "history.csv").read_text(encoding="utf-8").splitlines()[0]
    assert "**Warning:** the class 'rare'" in asked.output.with_suffix(".md").read_text(encoding="utf-8")
    report = (asked.folder.path / "report.html").read_text(encoding="utf-8")
    assert "never predicted on the test split" in report and "balanced accuracy 50.00%</h1>" in report


def test_with_balanced_weights_the_rare_class_is_predicted(tmp_path: Path, pretrained: Path) -> None:
    """By the very same head, that hardly learns anything else; the best is chosen by balanced accuracy, as is said."""
    recipe = replace(STILL, epochs=1, class_weights="balanced")
    asked, console = fit_options(tmp_path, unequal(tmp_path), pretrained, recipe=recipe), quiet()
    fit(asked, console)
    found = checkpoint.read(asked.output).provenance
    validation = found["metrics"]["validation"]
    assert "rare" not in {*validation["never_predicted"], *found["metrics"]["never_predicted"]}
    assert found["recipe"]["class_weights"] == "balanced" and "--class-weights balanced" in found["command"]
    assert isinstance(console.file, io.StringIO)
    assert "chosen by balanced accuracy on the validation split" in console.file.getvalue()
    assert found["metrics"]["balanced_accuracy"] >= 0.8 and validation["balanced_accuracy"] >= 0.8
    card = asked.output.with_suffix(".md").read_text(encoding="utf-8")
    assert "the best weights were chosen by balanced accuracy" in card

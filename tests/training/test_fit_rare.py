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

NEARLY_FROZEN = replace(RECIPE, probe_penalties=(100.0,), head_rate=1e-9, backbone_rate=1e-9)


def write_unequal(place: Path) -> Path:
    """Write forty photos of one class and eight of another."""
    return write_gratings(place / "photos", {"frequent": 40, "rare": 8})


def test_all_outputs_warn_of_a_class_that_is_never_predicted(tmp_path: Path, pretrained: Path) -> None:
    """86 % are right but no rare photo is: the console, card, report and checkpoint say so."""
    recipe = replace(NEARLY_FROZEN, epochs=1)
    options, console = fit_options(tmp_path, write_unequal(tmp_path), pretrained, recipe=recipe), quiet()
    assert fit(options, console) is not None
    provenance = checkpoint.read(options.output).provenance
    metrics = provenance["metrics"]
    assert metrics["never_predicted"] == ["rare"] and metrics["balanced_accuracy"] == 0.5 < metrics["accuracy"]
    assert isinstance(console.file, io.StringIO)
    output = console.file.getvalue()
    assert "warning: the class 'rare' is never predicted on the test split" in output
    assert "or with --class-weights balanced." in output and "(balanced 0.5000, loss" in output
    assert "chosen by accuracy on the validation split" in output
    assert {"raw_balanced_accuracy", "ema_balanced_accuracy"} <= provenance["history"][0].keys()
    assert "raw_balanced_accuracy" in (options.folder.path / "history.csv").read_text(encoding="utf-8").splitlines()[0]
    assert "**Warning:** the class 'rare'" in options.output.with_suffix(".md").read_text(encoding="utf-8")
    report = (options.folder.path / "report.html").read_text(encoding="utf-8")
    assert "never predicted on the test split" in report and "balanced accuracy 50.00%</h1>" in report


def test_with_balanced_weights_the_rare_class_is_predicted(tmp_path: Path, pretrained: Path) -> None:
    """The recipe is the same but for the class weights; the best weights are chosen by balanced accuracy."""
    recipe = replace(NEARLY_FROZEN, epochs=1, class_weights="balanced")
    options, console = fit_options(tmp_path, write_unequal(tmp_path), pretrained, recipe=recipe), quiet()
    fit(options, console)
    provenance = checkpoint.read(options.output).provenance
    validation = provenance["metrics"]["validation"]
    assert "rare" not in {*validation["never_predicted"], *provenance["metrics"]["never_predicted"]}
    assert provenance["recipe"]["class_weights"] == "balanced" and "--class-weights balanced" in provenance["command"]
    assert isinstance(console.file, io.StringIO)
    assert "chosen by balanced accuracy on the validation split" in console.file.getvalue()
    assert provenance["metrics"]["balanced_accuracy"] >= 0.8 and validation["balanced_accuracy"] >= 0.8
    card = options.output.with_suffix(".md").read_text(encoding="utf-8")
    assert "the best weights were chosen by balanced accuracy" in card

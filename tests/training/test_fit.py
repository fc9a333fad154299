import json
from dataclasses import replace
from pathlib import Path

import torch

from models import checkpoint, pictures
from models.classify import classify
from models.run import run
from models.store import load
from tests.training.drawn import encoded, grating, write_gratings, zipped
from tests.training.runs import RECIPE, assert_same_weights, fit_options, fit_to_end, quiet
from training.data.loading.batches import serving_batches
from training.fit import fit
from training.metrics import gather, measure
from training.options import FitOptions
from training.prepare import prepare
from training.recipe import Recipe


def test_the_service_can_load_the_checkpoint_and_classifies_correctly(finished: FitOptions) -> None:
    """New gratings are decoded and classified like an upload."""
    model = load("stripes", folder=finished.output.parent)
    assert model.spec.classes == ("Bluish", "Reddish")
    for label, name in enumerate(("Reddish", "Bluish")):
        picture = pictures.decode(encoded(grating(label, 1000)))
        assert run(classify(picture, model.spec), model.classifier)[0].label == name


def test_metrics_are_those_of_the_checkpoint_as_written(finished: FitOptions) -> None:
    """The checkpoint is loaded and measured on the test photos again: all figures are the same."""
    classifier, trained_checkpoint = checkpoint.load(finished.output)
    ready = prepare(fit_options(finished.output.parent / "again", finished.data, finished.weights or Path()), quiet())
    batches = serving_batches(ready.data.labelled(ready.split.test), classifier.spec, batch_size=8, workers=0)
    metrics = measure(*gather(classifier.logits, batches, torch.device("cpu")), classifier.spec.classes)
    stored_metrics = {key: trained_checkpoint.provenance["metrics"][key] for key in metrics.to_json()}
    assert stored_metrics == json.loads(json.dumps(metrics.to_json()))
    assert metrics.photos == 6 and metrics.accuracy == 1


def test_the_provenance_describes_the_run_without_any_path(finished: FitOptions) -> None:
    provenance = checkpoint.read(finished.output).provenance
    assert provenance["data"]["name"] == "gratings"
    assert provenance["data"]["photos"] == {"train": [14, 14], "validation": [3, 3], "test": [3, 3]}
    assert provenance["data"]["found"] == {"not a picture": 1}
    assert provenance["recipe"]["epochs"] == 3 and provenance["recipe"]["precision"] == "float32"
    assert provenance["parent"]["name"] == "weights" and provenance["parent"]["licence"] == "unknown"
    assert provenance["command"] == (
        "python -m training fit gratings --output stripes.safetensors --architecture shufflenet_v2_x0_5 "
        "--weights weights.pth --input-size 48 --epochs 3 --batch-size 8 --full-size-epochs 1 --precision float32"
    )
    assert {"python", "torch", "torchvision", "numpy", "pillow", "mirage"} == set(provenance["versions"])
    texts = json.dumps(provenance) + finished.output.with_suffix(".md").read_text()
    assert str(finished.output.parent) not in texts and str(Path.home()) not in texts and "/tmp" not in texts


def test_the_run_folder_has_the_card_and_no_temporary_files(finished: FitOptions) -> None:
    names = {file.name for file in finished.folder.path.iterdir()}
    plots = {"curves.png", "confusion.png", "reliability.png", "robustness.png"}
    tables = {"history.csv", "findings.csv", "split.csv", "metrics.json"}
    assert names == {"card.md", "report.html", "state.pt", "lock", *plots, *tables}
    assert (finished.folder.path / "card.md").read_bytes() == finished.output.with_suffix(".md").read_bytes()


def test_the_chosen_weights_are_the_best_on_validation(finished: FitOptions) -> None:
    provenance = checkpoint.read(finished.output).provenance
    candidates = {
        (name, row["epoch"]): (row[f"{name}_accuracy"], -row[f"{name}_nll"])
        for row in provenance["history"]
        for name in ("raw", "ema")
    }
    best = max(candidates, key=lambda candidate: candidates[candidate])
    chosen = (provenance["kept"]["weights"], provenance["kept"]["epoch"])
    assert chosen == best or (
        chosen == ("probe", 0) and candidates[best][0] <= provenance["metrics"]["validation"]["accuracy"]
    )


def test_a_probe_that_no_epoch_beats_is_the_result(tmp_path: Path, data: Path, pretrained: Path) -> None:
    """The learning rates ruin the head, so no epoch is better than the probe."""
    ruinous = replace(RECIPE, head_rate=50.0, backbone_rate=1e-9, clip=0.0)
    options = fit_options(tmp_path, data, pretrained, recipe=ruinous)
    assert fit_to_end(options).accuracy == 1
    assert checkpoint.read(options.output).provenance["kept"] == {"weights": "probe", "epoch": 0}


def test_without_epochs_the_probe_is_the_result(tmp_path: Path, data: Path, pretrained: Path) -> None:
    assert fit_to_end(fit_options(tmp_path, data, pretrained, recipe=Recipe(epochs=0, input_size=48))).accuracy == 1


def test_a_run_that_does_not_improve_stops_early(tmp_path: Path, data: Path, pretrained: Path) -> None:
    """The learning rates ruin the head: the run stops after two epochs that are not better than the probe."""
    recipe = replace(RECIPE, epochs=6, patience=2, head_rate=50.0, backbone_rate=1e-9, clip=0.0)
    options = fit_options(tmp_path, data, pretrained, recipe=recipe)
    fit(options, quiet())
    provenance = checkpoint.read(options.output).provenance
    assert provenance["kept"]["epoch"] == 0 and len(provenance["history"]) == 2
    again = fit_options(tmp_path, data, pretrained, recipe=recipe, resume=True)
    fit(again, quiet())
    assert checkpoint.read(again.output).provenance["history"] == provenance["history"]


def test_a_zip_gives_the_same_weights_as_its_folder(
    finished: FitOptions, tmp_path: Path, data: Path, pretrained: Path
) -> None:
    options = fit_options(tmp_path, zipped(data, tmp_path / "gratings.zip", "outer/"), pretrained)
    fit(options, quiet())
    assert_same_weights(options.output, finished.output)


def test_a_folder_whose_name_is_not_utf8_can_be_renamed(tmp_path: Path, pretrained: Path) -> None:
    """With --rename, a checkpoint can be written and read although the folder's name cannot be decoded."""
    write_gratings(tmp_path / "gratings", {"Reddish": 20, "Bl\udcfcish": 20})
    options = fit_options(tmp_path, tmp_path / "gratings", pretrained, phase="probe", renamed={"Bl\udcfcish": "Blüish"})
    assert fit_to_end(options).accuracy == 1
    trained_checkpoint = checkpoint.read(options.output)
    assert set(trained_checkpoint.spec.classes) == {"Reddish", "Blüish"}
    assert trained_checkpoint.provenance["data"]["folders"]["Blüish"] == "Bl?ish"


def test_the_card_warns_of_test_photos_that_the_pretrained_weights_were_trained_on(
    finished: FitOptions, tmp_path: Path, data: Path
) -> None:
    """With another seed of the split, some test photos were training photos of the pretrained weights."""
    for seed, warned in ((0, False), (1, True)):
        recipe = replace(RECIPE, seed=seed, epochs=0)
        options = fit_options(tmp_path / str(seed), data, finished.output, recipe=recipe)
        fit(options, quiet())
        assert ("the metrics are too good" in options.output.with_suffix(".md").read_text()) is warned


def test_the_card_has_the_figures(finished: FitOptions) -> None:
    card = finished.output.with_suffix(".md").read_text()
    low = checkpoint.read(finished.output).provenance["metrics"]["interval"][0]
    assert "**100.00 % of 6 test photos classified correctly**" in card and f"{100 * low:.2f} %" in card
    assert "`Bluish`, `Reddish`" in card and "not a picture (1)" in card and "| Reddish | 3 | 100.00 % | none |" in card

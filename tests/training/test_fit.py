import json
from dataclasses import replace
from pathlib import Path

import torch

from models import checkpoint, pictures
from models.classify import classify
from models.run import run
from models.store import load
from tests.training.drawn import encoded, grating, write_gratings, zipped
from tests.training.runs import RECIPE, assert_same_weights, fit_options, fitted, quiet
from training.data.loading.batches import serving_batches
from training.fit import fit
from training.metrics import gather, measure
from training.options import FitOptions
from training.prepare import prepare
from training.recipe import Recipe


def test_the_service_can_load_it_and_it_is_right(finished: FitOptions) -> None:
    """A grating that was never seen, by the way that an upload takes."""
    model = load("stripes", folder=finished.output.parent)
    assert model.spec.classes == ("Bluish", "Reddish")
    for label, name in enumerate(("Reddish", "Bluish")):
        picture = pictures.decode(encoded(grating(label, 1000)))
        assert run(classify(picture, model.spec), model.classifier)[0].label == name


def test_metrics_are_those_of_the_file_as_written(finished: FitOptions) -> None:
    """Measured again on the test photos, with the checkpoint loaded anew: every figure is the same."""
    classifier, found = checkpoint.load(finished.output)
    ready = prepare(fit_options(finished.output.parent / "again", finished.data, finished.weights or Path()), quiet())
    batches = serving_batches(ready.data.labelled(ready.split.test), classifier.spec, batch_size=8, workers=0)
    metrics = measure(*gather(classifier.logits, batches, torch.device("cpu")), classifier.spec.classes)
    told = {key: found.provenance["metrics"][key] for key in metrics.to_json()}
    assert told == json.loads(json.dumps(metrics.to_json()))
    assert metrics.photos == 6 and metrics.accuracy == 1


def test_provenance_tells_the_story_and_no_path(finished: FitOptions) -> None:
    found = checkpoint.read(finished.output).provenance
    assert found["data"]["name"] == "gratings"
    assert found["data"]["photos"] == {"train": [14, 14], "validation": [3, 3], "test": [3, 3]}
    assert found["data"]["found"] == {"not a picture": 1}
    assert found["recipe"]["epochs"] == 3 and found["recipe"]["precision"] == "float32"
    assert found["parent"]["name"] == "weights" and found["parent"]["licence"] == "unknown"
    assert found["command"] == (
        "python -m training fit gratings --output stripes.safetensors --architecture mobilenet_v3_small "
        "--weights weights.pth --input-size 48 --epochs 3 --batch-size 8 --full-size-epochs 1 --precision float32"
    )
    assert {"python", "torch", "torchvision", "numpy", "pillow", "mirage"} == set(found["versions"])
    told = json.dumps(found) + finished.output.with_suffix(".md").read_text()
    assert str(finished.output.parent) not in told and str(Path.home()) not in told and "/tmp" not in told


def test_the_run_folder_has_the_card_too_and_nothing_left_over(finished: FitOptions) -> None:
    there = {file.name for file in finished.folder.path.iterdir()}
    plots = {"curves.png", "confusion.png", "reliability.png", "robustness.png"}
    tables = {"history.csv", "findings.csv", "split.csv", "metrics.json"}
    assert there == {"card.md", "report.html", "state.pt", "lock", *plots, *tables}
    assert (finished.folder.path / "card.md").read_bytes() == finished.output.with_suffix(".md").read_bytes()


def test_the_kept_weights_are_the_best_on_validation(finished: FitOptions) -> None:
    found = checkpoint.read(finished.output).provenance
    candidates = {
        (name, row["epoch"]): (row[f"{name}_accuracy"], -row[f"{name}_nll"])
        for row in found["history"]
        for name in ("raw", "ema")
    }
    best = max(candidates, key=lambda candidate: candidates[candidate])
    kept = (found["kept"]["weights"], found["kept"]["epoch"])
    assert kept == best or (kept == ("probe", 0) and candidates[best][0] <= found["metrics"]["validation"]["accuracy"])


def test_a_probe_that_nothing_beats_is_kept(tmp_path: Path, data: Path, pretrained: Path) -> None:
    """Training at rates that ruin the head loses to the probe."""
    ruinous = replace(RECIPE, head_rate=50.0, backbone_rate=1e-9, clip=0.0)
    done = fit_options(tmp_path, data, pretrained, recipe=ruinous)
    assert fitted(done).accuracy == 1
    assert checkpoint.read(done.output).provenance["kept"] == {"weights": "probe", "epoch": 0}


def test_no_epochs_keep_the_probe(tmp_path: Path, data: Path, pretrained: Path) -> None:
    assert fitted(fit_options(tmp_path, data, pretrained, recipe=Recipe(epochs=0, input_size=48))).accuracy == 1


def test_a_run_that_does_not_improve_stops_early(tmp_path: Path, data: Path, pretrained: Path) -> None:
    """Rates that ruin the head never beat the probe: after two epochs without anything better patience is out."""
    recipe = replace(RECIPE, epochs=6, patience=2, head_rate=50.0, backbone_rate=1e-9, clip=0.0)
    done = fit_options(tmp_path, data, pretrained, recipe=recipe)
    fit(done, quiet())
    found = checkpoint.read(done.output).provenance
    assert found["kept"]["epoch"] == 0 and len(found["history"]) == 2
    again = fit_options(tmp_path, data, pretrained, recipe=recipe, resume=True)
    fit(again, quiet())
    assert checkpoint.read(again.output).provenance["history"] == found["history"]


def test_a_zip_gives_the_same_weights_as_its_folder(
    finished: FitOptions, tmp_path: Path, data: Path, pretrained: Path
) -> None:
    done = fit_options(tmp_path, zipped(data, tmp_path / "gratings.zip", "outer/"), pretrained)
    fit(done, quiet())
    assert_same_weights(done.output, finished.output)


def test_a_folder_whose_name_is_no_text(tmp_path: Path, pretrained: Path) -> None:
    """Bytes of another encoding: with a name of its own for the class, the checkpoint can be read."""
    write_gratings(tmp_path / "gratings", {"Reddish": 20, "Bl\udcfcish": 20})
    done = fit_options(tmp_path, tmp_path / "gratings", pretrained, phase="probe", renamed={"Bl\udcfcish": "Blüish"})
    assert fitted(done).accuracy == 1
    found = checkpoint.read(done.output)
    assert set(found.spec.classes) == {"Reddish", "Blüish"}
    assert found.provenance["data"]["folders"]["Blüish"] == "Bl?ish"


def test_what_the_pretrained_weights_have_trained_on_does_not_judge_in_silence(
    finished: FitOptions, tmp_path: Path, data: Path
) -> None:
    """The same photos, split by another seed: some of the test side has been trained on before."""
    for seed, flattered in ((0, False), (1, True)):
        recipe = replace(RECIPE, seed=seed, epochs=0)
        done = fit_options(tmp_path / str(seed), data, finished.output, recipe=recipe)
        fit(done, quiet())
        assert ("the metrics are too good" in done.output.with_suffix(".md").read_text()) is flattered


def test_the_card_has_the_figures(finished: FitOptions) -> None:
    card = finished.output.with_suffix(".md").read_text()
    low = checkpoint.read(finished.output).provenance["metrics"]["interval"][0]
    assert "**100.00 % of 6 test photos classified correctly**" in card and f"{100 * low:.2f} %" in card
    assert "`Bluish`, `Reddish`" in card and "1 not a picture" in card and "| Reddish | 3 | 100.00 % | none |" in card

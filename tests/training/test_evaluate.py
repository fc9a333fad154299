import io
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from rich.console import Console

from models import checkpoint
from models.store import UnknownModel
from tests.training.drawn import ARCHITECTURE, encoded, grating, write_gratings, write_pretrained
from training.cache import Cache
from training.data.sources.source import BadData
from training.evaluate import EvaluationOptions, curve_text, evaluate, metrics_text
from training.fit import fit
from training.metrics import measure
from training.options import FitOptions
from training.recipe import Recipe


def quiet() -> Console:
    return Console(file=io.StringIO(), width=200)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> FitOptions:
    """A probe on twenty gratings in each of two classes."""
    place = tmp_path_factory.mktemp("trained")
    data = write_gratings(place / "gratings", {"Reddish": 20, "Bluish": 20})
    options = FitOptions(
        data=data,
        output=place / "stripes.safetensors",
        architecture=ARCHITECTURE,
        recipe=Recipe(epochs=0, input_size=48),
        weights=write_pretrained(place / "weights.pth"),
        runs=place / "runs",
        cache=Cache(place / "cache"),
        robustness_photos=0,
    )
    fit(options, quiet())
    return options


def test_on_its_own_data_a_model_has_the_metrics_of_its_test_split(trained: FitOptions, tmp_path: Path) -> None:
    options = EvaluationOptions(str(trained.output), trained.data, report=tmp_path / "report")
    metrics, curve = evaluate(options, quiet())
    stored = checkpoint.read(trained.output).provenance["metrics"]
    assert metrics.photos == 6 and curve is None
    assert {key: stored[key] for key in ("accuracy", "nll", "ece")} == {
        key: getattr(metrics, key) for key in ("accuracy", "nll", "ece")
    }
    names = {file.name for file in (tmp_path / "report").iterdir()}
    assert names == {"report.html", "confusion.png", "reliability.png", "metrics.json"}


@pytest.mark.parametrize(("split", "photos"), [("all", 40), ("train", 28), ("validation", 6), ("test", 6)])
def test_any_split_can_be_evaluated(trained: FitOptions, split: str, photos: int) -> None:
    assert evaluate(EvaluationOptions(str(trained.output), trained.data, split), quiet())[0].photos == photos


def test_all_photos_of_other_data_are_evaluated(trained: FitOptions, tmp_path: Path) -> None:
    """Folders get their classes by name, or by the option --rename."""
    other_data = write_gratings(tmp_path / "other", {"reddish": 5, "cold": 4})
    options = EvaluationOptions(str(trained.output), other_data, renamed={"cold": "Bluish"})
    metrics, _ = evaluate(options, quiet())
    assert metrics.photos == 9
    with pytest.raises(BadData, match=r"stripes has no class for the folder 'cold' .*: give --rename 'cold=CLASS'"):
        evaluate(replace(options, renamed={}), quiet())


def test_a_missing_folder_cannot_be_renamed(trained: FitOptions) -> None:
    with pytest.raises(BadData, match="there is no class folder 'Redish'; the class folders are: Bluish, Reddish"):
        evaluate(EvaluationOptions(str(trained.output), trained.data, renamed={"Redish": "Reddish"}), quiet())


def test_photos_that_a_run_has_scanned_are_not_scanned_again(
    trained: FitOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> object:
        raise AssertionError("was looked at already")

    monkeypatch.setattr("training.data.scan.scan_source.inspect_files", refuse)
    options = EvaluationOptions(str(trained.output), trained.data, cache=trained.cache)
    assert evaluate(options, quiet())[0].photos == 6
    with pytest.raises(AssertionError):
        evaluate(replace(options, cache=None), quiet())


def test_a_test_split_of_the_data_is_used(trained: FitOptions, tmp_path: Path) -> None:
    for split, count in (("train", 5), ("test", 3)):
        write_gratings(tmp_path / "split" / split, {"Reddish": count, "Bluish": count}, seed=100 * count)
    assert evaluate(EvaluationOptions(str(trained.output), tmp_path / "split"), quiet())[0].photos == 6


def test_an_unknown_split_or_model_is_refused(trained: FitOptions) -> None:
    with pytest.raises(BadData, match="--on is auto, all, train, validation or test, not 'best'"):
        evaluate(EvaluationOptions(str(trained.output), trained.data, "best"), quiet())
    with pytest.raises(UnknownModel):
        evaluate(EvaluationOptions("no-such-model", trained.data), quiet())


def test_the_printed_lines_have_the_accuracies_under_attack(trained: FitOptions) -> None:
    attack = {"attack": "fgsm", "epsilons": (0.1, 0.3)}
    metrics, curve = evaluate(EvaluationOptions(str(trained.output), trained.data, attack=attack, photos=4), quiet())
    assert curve is not None and curve["photos"] == 4
    lines = f"{metrics_text(metrics)}\n{curve_text(curve)}"
    assert f"top-1 {metrics.accuracy:.2%}" in lines and "under fgsm (linf, {}), 4 photos:" in lines
    assert "within 25.5/255" in lines and "within 76.5/255" in lines
    assert [row["epsilon"] for row in curve["curve"]] == [0, 0.1, 0.3]


def test_a_split_that_cannot_be_reproduced_is_refused(trained: FitOptions, tmp_path: Path) -> None:
    classifier, trained_checkpoint = checkpoint.load(trained.output)
    provenance = {
        **trained_checkpoint.provenance,
        "data": {**trained_checkpoint.provenance["data"], "split_digest": "another"},
    }
    checkpoint.save(tmp_path / "other.safetensors", classifier.network[1], classifier.spec, provenance)
    with pytest.raises(BadData, match=r"other was trained on another split of these photos, .*: --on all"):
        evaluate(EvaluationOptions(str(tmp_path / "other.safetensors"), trained.data), quiet())


def test_photos_that_may_have_been_trained_on_cause_a_warning(trained: FitOptions, tmp_path: Path) -> None:
    """With one more photo, the data is no longer that of the training."""
    shutil.copytree(trained.data, tmp_path / "more")
    (tmp_path / "more" / "Reddish" / "new.png").write_bytes(encoded(grating(0, 500)))
    console = quiet()
    evaluate(EvaluationOptions(str(trained.output), tmp_path / "more"), console)
    assert (
        isinstance(console.file, io.StringIO) and "the photos differ from its training data" in console.file.getvalue()
    )


def test_data_without_usable_photos_is_refused(trained: FitOptions, tmp_path: Path) -> None:
    for name in ("Reddish", "Bluish"):
        (tmp_path / "data" / name).mkdir(parents=True)
        (tmp_path / "data" / name / "photo.heic").write_bytes(b"ftypheic")
    with pytest.raises(BadData, match="no usable photos: `python -m training check` lists"):
        evaluate(EvaluationOptions(str(trained.output), tmp_path / "data"), quiet())


def test_a_class_without_photos_is_printed_without_an_accuracy() -> None:
    """Only one of three classes has photos: the others have no accuracy rather than 0 %."""
    metrics = measure(torch.tensor([[2.0, 0, 0], [0, 2, 0]]), torch.tensor([0, 0]), ("a", "b", "c"))
    lines = metrics_text(metrics).splitlines()
    assert lines[0].startswith("top-1 50.00% (95 % interval") and "balanced accuracy 50.00%" in lines[0]
    assert lines[1:] == ["  a: 50.00% of 2", "  b: no photos", "  c: no photos", "  a classified as b: 1"]

import io
import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from models.attacks.options import BadAttack
from models.store import Model
from tests.training.reds import STEEPNESS, red_model, write_reds
from training.compare import ComparisonOptions, compare
from training.comparison import ComparedClass, Comparison
from training.data.sources.source import BadData
from training.metrics import wilson
from training.paired import PairedCounts

LEVELS = {"dark": (20, 60, 110, 120), "bright": (132, 145, 200, 240), "other": (125, 220)}
"""Photos by their red: the thresholds 100.5 and 150.5 are each wrong about two of dark or bright, and all others."""
ATTACK = {"attack": "apgd", "epsilons": (4 / 255, 16 / 255), "steps": 5}


def compared(
    monkeypatch: pytest.MonkeyPatch, data: Path, first: Model, second: Model, **fields: Any
) -> tuple[Comparison, str]:
    """The comparison of the two models, and what is printed."""
    models = {"first": first, "second": second}
    monkeypatch.setattr("training.compare.load_model", lambda name, device: models[name])
    console = Console(file=io.StringIO(), width=200)
    comparison = compare(ComparisonOptions("first", data, other="second", **fields), console)
    assert isinstance(console.file, io.StringIO)
    return comparison, console.file.getvalue()


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return write_reds(tmp_path / "data", LEVELS)


def test_every_count_is_known(monkeypatch: pytest.MonkeyPatch, data: Path) -> None:
    """Below 100.5 and above 150.5 both agree; between, the first sees bright and the second dark."""
    comparison, _ = compared(monkeypatch, data, red_model(100.5, "low"), red_model(150.5, "high"))
    assert comparison.names == ("low", "high") and comparison.on == "all"
    assert comparison.counts == PairedCounts(both=4, only_first=2, only_second=2, neither=2)
    assert comparison.counts.p_value == 1 and comparison.counts.difference == 0
    assert [metrics.accuracy for metrics in comparison.metrics] == [0.6, 0.6]
    assert comparison.metrics[0].interval == wilson(6, 10)
    assert {row.name: row for row in comparison.classes} == {
        "dark": ComparedClass("dark", 4, (2, 4)),
        "bright": ComparedClass("bright", 4, (4, 2)),
        "other": ComparedClass("other", 2, (0, 0)),
    }
    assert comparison.robustness is None and comparison.transfer is None


def test_differing_photos_begin_with_the_most_confident_mistake(monkeypatch: pytest.MonkeyPatch, data: Path) -> None:
    """A mistake is the more confident, the farther the photo is from the threshold of the model that is wrong.

    Both are wrong about other/220 too, but in the same way.
    """
    comparison, _ = compared(monkeypatch, data, red_model(100.5), red_model(150.5))
    photos = comparison.differing
    assert [(photo.name, photo.right) for photo in photos] == [
        ("other/125.png", (False, False)),
        ("dark/120.png", (False, True)),
        ("bright/132.png", (True, False)),
        ("dark/110.png", (False, True)),
        ("bright/145.png", (True, False)),
    ]
    assert {photo.predicted for photo in photos} == {("bright", "dark")} and comparison.differently_wrong == 1
    expected = 1 / (1 + math.exp(-2 * STEEPNESS * (120 - 100.5) / 255))
    assert photos[1].mistake == photos[1].confidence[0] == pytest.approx(expected, abs=1e-4)
    assert photos[1].label == "dark"


def test_a_model_is_equal_to_itself(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    data = write_reds(tmp_path / "data", {"dark": (60, 92, 96, 140), "bright": (108, 112, 180)})
    classes = ("dark", "bright")
    models = (red_model(100.5, classes=classes), red_model(100.5, classes=classes))
    comparison, text = compared(monkeypatch, data, *models, attack=ATTACK)
    assert comparison.names == ("red (first)", "red (second)")
    assert comparison.counts == PairedCounts(6, 0, 0, 1) and comparison.counts.p_value == 1
    assert comparison.differing == () and comparison.metrics[0] == comparison.metrics[1]
    assert comparison.robustness is not None and comparison.robustness[0] == comparison.robustness[1]
    assert comparison.transfer is not None and [row.share for row in comparison.transfer] == [1.0, 1.0]
    assert comparison.transfer[0].photos == 6 and "p = 1)" in text


def test_curves_and_transfer_have_closed_forms(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A photo withstands a budget of e levels if its red is farther than e from the threshold (see test_transfer.py).

    The photo 108 is classified wrongly by the second model, so it takes no part in the transfer.
    """
    data = write_reds(tmp_path / "data", {"dark": (60, 92, 96), "bright": (108, 112, 180)})
    classes = ("dark", "bright")
    models = (red_model(100.5, "low", classes), red_model(110.5, "high", classes))
    comparison, text = compared(monkeypatch, data, *models, attack=ATTACK, report=tmp_path / "report")
    assert comparison.robustness is not None and comparison.transfer is not None
    curves = [[row["accuracy"] * 6 for row in curve["curve"]] for curve in comparison.robustness]
    assert curves == [pytest.approx([6, 6, 2]), pytest.approx([5, 4, 3])]
    first, second = comparison.transfer
    assert (first.photos, first.successful, first.transferred, first.epsilon) == (5, 3, 2, 16 / 255)
    assert (second.photos, second.successful, second.transferred) == (5, 2, 2)
    printed = ["6 photos (all)", "low: top-1", "high: top-1", "only by low: 1", "accuracy of low under attack"]
    printed += [
        "accuracy of high under attack",
        "apgd within 16/255 (linf) fools low on 3 of 5",
        "fools high on 2 of 5",
    ]
    places = [text.index(part) for part in printed]
    assert places == sorted(places), "each part is printed as soon as it is known"
    files = {file.name for file in (tmp_path / "report").iterdir()}
    assert files == {"report.html", "reliability.png", "robustness.png", "metrics.json"}
    stored = json.loads((tmp_path / "report" / "metrics.json").read_text())
    assert stored["transfer"][0]["share"] == pytest.approx(2 / 3) and stored["paired"]["only_first"] == 1
    assert stored == json.loads(json.dumps(comparison.to_json()))


def test_fewer_photos_can_be_attacked(monkeypatch: pytest.MonkeyPatch, data: Path) -> None:
    """Without budgets of its own, the attack has those of the norm, and transfer the largest of them."""
    attack = {"attack": "fgsm"}
    comparison, _ = compared(monkeypatch, data, red_model(100.5, "a"), red_model(99.5, "b"), attack=attack, photos=2)
    assert comparison.robustness is not None and comparison.transfer is not None
    assert [curve["photos"] for curve in comparison.robustness] == [2, 2]
    assert [(row.photos, row.epsilon) for row in comparison.transfer] == [(2, 8 / 255)] * 2


def test_models_may_call_a_class_differently(monkeypatch: pytest.MonkeyPatch, data: Path) -> None:
    """`dark` is what the first calls the folder; the new name applies to the second alone, and their verdicts agree."""
    other = red_model(150.5, "other", classes=("night", "bright", "other"))
    comparison, _ = compared(monkeypatch, data, red_model(100.5), other, renamed={"dark": "night"})
    assert comparison.counts == PairedCounts(4, 2, 2, 2) and comparison.differently_wrong == 1
    assert comparison.differing[0].predicted == ("bright", "night")
    with pytest.raises(BadData, match=r"other has no class for the folder 'dark' .*: give --rename 'dark=CLASS'"):
        compared(monkeypatch, data, red_model(100.5), other)
    with pytest.raises(BadData, match="red has no class for the folder 'dark'"):
        compared(monkeypatch, data, red_model(100.5), other, renamed={"dark": "twilight"})
    with pytest.raises(BadData, match="there is no class folder 'drak'"):
        compared(monkeypatch, data, red_model(100.5), other, renamed={"drak": "night"})


def test_two_folders_may_be_one_class_of_a_model(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The first calls both folders dark; the second distinguishes them, and both are right about all photos."""
    data = write_reds(tmp_path / "data", {"dark": (20, 30), "bright": (60, 70)})
    both_dark = red_model(100.5, "one", classes=("gloomy", "light"))
    comparison, _ = compared(
        monkeypatch, data, both_dark, red_model(50.5, "two"), renamed={"dark": "gloomy", "bright": "gloomy"}
    )
    assert comparison.counts == PairedCounts(4, 0, 0, 0) and comparison.differing == ()


def test_models_with_different_numbers_of_classes_are_compared_with_a_warning(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    data = write_reds(tmp_path / "data", {"dark": (20, 130), "bright": (200, 240)})
    many = red_model(150.5, "many", classes=("dark", "bright", "other"))
    comparison, text = compared(monkeypatch, data, red_model(100.5, "two", classes=("dark", "bright")), many)
    assert comparison.counts == PairedCounts(3, 0, 1, 0)
    assert "warning: two distinguishes 2 classes and many 3: with more classes" in text
    assert comparison.warnings[0].startswith("two distinguishes 2 classes")


def test_labels_and_classes_are_compared_with_a_warning(monkeypatch: pytest.MonkeyPatch, data: Path) -> None:
    """A model of several labels is right only where it finds the label, whose logit must be 0 at least."""
    labels, classes = red_model(100.5, "labels"), red_model(100.5, "classes")
    labels.classifier.spec = replace(labels.spec, multi_label=True)
    comparison, text = compared(monkeypatch, data, labels, classes)
    assert "warning: labels gives each label a probability of its own and is right only if it finds the label" in text
    logits = [metrics.correct for metrics in comparison.metrics]
    assert logits[0] <= logits[1] and comparison.counts.only_first == 0


def test_wrong_options_are_refused_before_the_photos_are_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    missing = tmp_path / "missing"
    with pytest.raises(BadAttack, match="takes no epsilon"):
        compared(monkeypatch, missing, red_model(1.0), red_model(2.0), attack={"attack": "deepfool"})
    model = red_model(1.0)
    model.classifier.spec = replace(model.spec, differentiable=False)
    with pytest.raises(BadAttack, match="gives no gradients"):
        compared(monkeypatch, missing, red_model(2.0), model, attack={"attack": "pgd"})

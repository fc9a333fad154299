"""The bundled models do what their cards and the README say."""

import re
from pathlib import Path

import pytest
from safetensors import safe_open
from torch import Tensor

from benchmarks import ideals_pets
from benchmarks.ideals_subjects import draw
from models import checkpoint, store
from models.attacks.task import adversarial
from models.classify import classify
from models.ideal import ideal
from models.pictures import decode, encode
from models.run import run

NAMES = store.checkpoint_names()


def test_the_bundled_models_are_there_and_cats_dogs_is_the_default() -> None:
    assert NAMES == ["cats-dogs", "cats-dogs-robust"]


@pytest.mark.parametrize("name", NAMES)
def test_a_bundled_checkpoint_is_small_and_has_its_provenance(name: str) -> None:
    """It has less than 6 MB and the provenance of its training, with no path of the machine that made it."""
    file = store.BUNDLED / f"{name}.safetensors"
    assert file.stat().st_size < 6_000_000
    with safe_open(file, framework="pt") as opened:
        header = opened.metadata()
    assert not re.search(r"""["' =]/""", header["provenance"]), "no absolute path"
    provenance = checkpoint.read(file).provenance
    assert {"recipe", "data", "metrics", "versions", "parent", "created"} <= set(provenance)
    card = file.with_suffix(".md").read_text(encoding="utf-8")
    assert f"{provenance['metrics']['accuracy']:.2%}".rstrip("%") in card


@pytest.mark.parametrize("name", NAMES)
def test_the_readme_has_the_accuracy_of_the_model(name: str) -> None:
    accuracy = checkpoint.read(store.BUNDLED / f"{name}.safetensors").provenance["metrics"]["accuracy"]
    readme = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    assert re.search(rf"\[{name}\]\(\S+\) is right on {accuracy * 100:.1f} %", readme)


def test_cats_dogs_was_measured_on_enough_photos() -> None:
    """99 % accuracy on a test split of 2,000 photos or more, with a calibration error of at most 1 %."""
    metrics = checkpoint.read(store.BUNDLED / "cats-dogs.safetensors").provenance["metrics"]
    assert (metrics["split"], metrics["photos"] >= 2000) == ("test", True)
    assert metrics["accuracy"] >= 0.99 and metrics["ece"] <= 0.01


def test_cats_dogs_robust_was_attacked_on_enough_photos() -> None:
    """90 % accuracy, and 60 % on 500 photos under an attack within 4 levels of 255; from the data of cats-dogs."""
    robust, standard = (checkpoint.read(store.BUNDLED / f"{name}.safetensors").provenance for name in reversed(NAMES))
    metrics = robust["metrics"]
    assert metrics["split"] == "test" and metrics["photos"] >= 2000 and metrics["accuracy"] >= 0.9
    attacked = metrics["robustness"]
    (row,) = [row for row in attacked["curve"] if row["epsilon"] == pytest.approx(4 / 255)]
    assert (attacked["attack"], attacked["norm"], attacked["photos"]) == ("apgd", "linf", 500)
    assert row["accuracy"] >= 0.6
    assert robust["data"]["files_digest"] == standard["data"]["files_digest"]


def test_an_attack_fools_cats_dogs_but_not_cats_dogs_robust(chelsea: Tensor) -> None:
    fooled = {}
    for name in NAMES:
        model = store.load(name)
        result = run(adversarial(chelsea, model.spec, attack="apgd", epsilon=2 / 255, steps=20), model.classifier)
        assert result.original.label == "cat"
        fooled[name] = result.success
    assert fooled == {"cats-dogs": True, "cats-dogs-robust": False}


def test_cats_dogs_recognises_a_cat_and_can_be_fooled_about_it(chelsea: Tensor) -> None:
    model = store.load("cats-dogs")
    assert model.spec.classes == ("cat", "dog")
    (before,) = run(classify(chelsea, model.spec, top=1), model.classifier)
    assert before.label == "cat" and before.probability > 0.9
    result = run(adversarial(chelsea, model.spec, steps=10), model.classifier)
    (after,) = run(classify(decode(encode(result.picture)), model.spec, top=1), model.classifier)
    assert result.success and after.label == "dog" == result.adversarial.label
    assert (result.picture.int() - chelsea.int()).abs().max() <= 8


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("index", [0, 1])
def test_an_ideal_picture_is_classified_as_its_class(name: str, index: int) -> None:
    """The probability of the class is at least 0.99 when the 8-bit picture is classified again."""
    model = store.load(name)
    result = run(ideal(index, model.spec), model.classifier)
    (drawn,) = result.pictures
    (again,) = run(classify(decode(encode(drawn.picture)), model.spec, top=1), model.classifier)
    assert (again.index, again.probability >= 0.99) == (index, True)
    assert drawn.score.strength == pytest.approx(again.probability, abs=1e-4)
    assert drawn.score.robust >= 0.95 and drawn.reason is None


@pytest.mark.slow
def test_another_network_recognises_ideals_of_the_robust_model_better(
    imagenet_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The judge is SqueezeNet with its five breeds of cats and 118 of dogs; the figures are means over three seeds."""
    monkeypatch.setenv("TORCH_HOME", str(imagenet_home))
    judge = store.load("imagenet/squeezenet1_1")
    shares: dict[tuple[str, str], float] = {}
    for name in NAMES:
        model = store.load(name)
        for seed in range(3):
            for label, drawn in zip(["cat", "dog"], draw(model, "fourier", ("cat", "dog"), seed), strict=True):
                shares[name, label] = (
                    shares.get((name, label), 0) + ideals_pets.judge_picture(drawn.picture, judge)[0][label] / 3
                )
    for label in ("cat", "dog"):
        assert shares["cats-dogs-robust", label] > shares["cats-dogs", label] + 0.2

from typing import Any

import pytest
import torch

from models.spec import Spec
from training.metrics import measure
from training.recipe import ROBUST, Recipe
from training.report.card import model_card

SPEC = Spec("mobilenet_v2", ("cat", "dog"), temperature=0.5)


def provenance_of(recipe: Recipe, **more: Any) -> dict[str, Any]:
    """The provenance of a run; three of its five test photos are classified correctly."""
    logits = torch.tensor([[0.8, 0.2], [0.7, 0.3], [0.4, 0.6], [0.1, 0.9], [0.6, 0.4]]).log()
    metrics = measure(logits, torch.tensor([0, 0, 0, 1, 1]), SPEC.classes).to_json()
    curve = [{"epsilon": 0.0, "accuracy": 0.6, "interval": [0.23, 0.88]}]
    curve.append({"epsilon": 4 / 255, "accuracy": 0.2, "interval": [0.04, 0.62]})
    attacked = {"attack": "apgd", "norm": "linf", "options": {"steps": 20}, "photos": 5, "curve": curve}
    provenance: dict[str, Any] = {
        "recipe": vars(recipe),
        "command": "python -m training fit photos.zip --output pets.safetensors",
        "data": {
            "name": "photos.zip",
            "photos": {"train": [10, 12], "validation": [3, 3], "test": [3, 2]},
            "files_digest": "f" * 64,
            "split_digest": "5" * 64,
            "alike_on_several_sides": 7,
            "given_sides": [],
            "found": {"empty": 2},
        },
        "metrics": {**metrics, "split": "test", "earlier_looks": 0, "validation": metrics, "robustness": attacked},
        "kept": {"weights": "ema", "epoch": 2},
        "history": [{"epoch": 1, "size": 160, "loss": 0.5, "raw_accuracy": 0.9, "raw_nll": 0.3, "raw_clean": 0.95}],
        "versions": {"torch": "2.15.0"},
        "parent": {"name": "imagenet", "digest": "a" * 64, "licence": "Apache-2.0"},
        "created": "2026-01-02",
    }
    return {**provenance, **more}


def test_the_card_has_every_figure() -> None:
    card = model_card("pets", SPEC, provenance_of(Recipe()))
    for text in (
        "**60.00 % of 5 test photos classified correctly**",
        "| test | 5 | 60.00 % |",
        "| cat | 3 | 66.67 % | dog (1) |",
        "| 4 levels of 255 | 20.00 % | 4.00 % to 62.00 % |",
        "Accuracy under the attack `apgd` in the Linf norm (steps 20), on 5 photos",
        "Number of files with each problem: empty (2).",
        "Number of photos with a near-duplicate in another split: 7.",
        "This run had not used these photos for anything else.",
        "split by the content of the pictures, with the same fractions of each class",
        "| train | 22 | 10 to 12 |",
        "the averaged weights after epoch 2 were best on the validation split.",
        "temperature 0.500",
        "| `backbone_rate` | 0.0001 |",
    ):
        assert text in card, text


def test_the_card_of_a_robust_run_names_the_attack_of_its_training() -> None:
    card = model_card("pets", SPEC, provenance_of(ROBUST))
    assert "fine-tuning of all layers on pictures attacked by fast FGSM within 4 levels of 255" in card
    assert "best on the validation split under attack." in card
    assert "validation accuracy of raw weights under attack" in card


def test_the_card_says_how_many_blocks_were_frozen() -> None:
    card = model_card("pets", SPEC, provenance_of(Recipe(frozen_blocks=4)))
    assert "fine-tuning of all layers after the first 4 blocks. Of all" in card


@pytest.mark.parametrize(
    ("splits", "text"),
    [
        (["test", "train"], "with the splits of the data set (test, train); validation taken from the training photos"),
        (["test", "train", "validation"], "with the splits of the data set (test, train, validation):"),
    ],
)
def test_the_card_names_the_splits_of_the_data(splits: list[str], text: str) -> None:
    provenance = provenance_of(Recipe())
    provenance["data"]["given_sides"] = splits
    assert text in model_card("pets", SPEC, provenance)


def test_the_card_of_a_probe_says_that_no_other_weights_were_trained() -> None:
    card = model_card("pets", SPEC, provenance_of(Recipe(), history=[], kept={"weights": "probe", "epoch": 0}))
    assert "no other weights were trained" in card
    provenance = provenance_of(Recipe())
    provenance["metrics"]["robustness"] = None
    assert "under the attack" not in model_card("pets", SPEC, provenance)


def test_a_bar_in_a_class_does_not_break_a_table() -> None:
    spec = Spec("vgg11", ("a|b", "c"))
    provenance = provenance_of(Recipe())
    provenance["metrics"]["per_class"] = {"a|b": {"photos": 3, "correct": 3, "accuracy": 1.0}}
    assert "| a\\|b | 3 | 100.00 % | none |" in model_card("x", spec, provenance)


def test_balanced_accuracy_is_beside_accuracy_everywhere() -> None:
    """Two of three cats and one of two dogs are 58.33 %; it is computed if an old file has no such figure."""
    card = model_card("pets", SPEC, provenance_of(Recipe()))
    assert "; balanced accuracy 58.33 %)" in card and "| test | 5 | 60.00 % | 58.33 % |" in card
    provenance = provenance_of(Recipe())
    del provenance["metrics"]["balanced_accuracy"], provenance["metrics"]["never_predicted"]
    assert "| test | 5 | 60.00 % | 58.33 % |" in model_card("pets", SPEC, provenance)
    history = [{**provenance["history"][0], "raw_balanced_accuracy": 0.4321}]
    card = model_card("pets", SPEC, provenance_of(Recipe(), history=history))
    assert "validation balanced accuracy of raw weights" in card and "43.21 %" in card


def test_the_card_warns_of_a_class_that_is_never_predicted() -> None:
    provenance = provenance_of(Recipe())
    metrics = measure(torch.tensor([[1.0, 0.0]] * 5), torch.tensor([0, 0, 0, 1, 1]), SPEC.classes).to_json()
    provenance["metrics"] |= {**metrics, "validation": metrics}
    card = model_card("pets", SPEC, provenance)
    assert "**Warning:** the class 'dog' is never predicted on the test split: all 2 of its photos" in card
    assert "never predicted on the validation split" in card and "or with --class-weights balanced." in card


def test_the_card_names_class_weights() -> None:
    card = model_card("pets", SPEC, provenance_of(Recipe(class_weights="balanced")))
    assert "weighted inversely to the number of training photos of its class" in card and "by balanced accuracy" in card
    assert "weighted inversely" not in model_card("pets", SPEC, provenance_of(Recipe()))


def test_a_class_without_photos_has_no_figure() -> None:
    provenance = provenance_of(Recipe())
    provenance["metrics"]["per_class"]["dog"] = {"photos": 0, "correct": 0, "accuracy": None}
    assert "| dog | 0 | no photos |" in model_card("pets", SPEC, provenance)


def test_a_line_break_in_a_class_does_not_break_a_table() -> None:
    provenance = provenance_of(Recipe())
    provenance["metrics"]["per_class"] = {"a\nb": {"photos": 3, "correct": 3, "accuracy": 1.0}}
    assert "| a b | 3 | 100.00 % | none |" in model_card("x", SPEC, provenance)

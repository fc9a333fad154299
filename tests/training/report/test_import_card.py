"""The card of an imported model: every figure of the provenance, and warnings that cannot be overlooked."""

from dataclasses import replace
from typing import Any

import pytest
import torch

from models.spec import Spec
from training.importing.agreement import Agreement
from training.metrics import measure
from training.report.import_card import KINDS, import_card

SPEC = Spec("resnet18", ("cat", "dog"))
AGREEMENT = Agreement(photos=24, levels=7.23, levels_cut=1.09, mean_levels=0.288, logits=2e-3, same_top=23)


def provenance(**more: Any) -> dict[str, Any]:
    source = {"kind": "torchvision", "file": "mine.pth", "sha256": "ab" * 32, "licence": "MIT", "dtype": "float32"}
    return {
        "source": source,
        "parent": {"name": "mine.pth", "licence": "MIT", "digest": "ab" * 32},
        "warnings": [],
        "agreement": None,
        "command": "python -m training import mine.pth --output pets.safetensors",
        "versions": {"mirage": "0.1.0", "torch": "2.15.0"},
        "created": "2026-01-02",
        **more,
    }


def test_the_card_says_what_the_model_is_and_where_it_comes_from() -> None:
    card = import_card("pets", SPEC, provenance())
    for text in (
        "# pets\n\nA `resnet18` that distinguishes 2 classes: `cat`, `dog`.\n",
        "It was not trained here, but imported on 2026-01-02: a network of torchvision, with weights from a file, "
        f"`mine.pth`, SHA-256 `{'ab' * 32}`. Licence: MIT.",
        "```\npython -m training import mine.pth --output pets.safetensors\n```",
        "| input | 224 x 224 pixels, RGB |",
        "| resize | crop to 256 x 256 pixels |",
        "| interpolation | bilinear |",
        "| mean | 0.485, 0.456, 0.406 |",
        "| standard deviation | 0.229, 0.224, 0.225 |",
        "| outputs | logits |",
        "| gradients with respect to the pixels | yes |",
        "- It knows only its 2 classes.",
        "- The licence of the weights is: MIT.",
        "Versions: mirage 0.1.0, torch 2.15.0.",
    ):
        assert text in card, text
    assert "## Metrics" not in card and "Compared with" not in card and card.endswith(".\n")


def test_other_kinds_of_models_say_how_they_differ() -> None:
    spec = replace(
        SPEC,
        classes=("cat",),
        input_size=(48, 80),
        resize=(54, 90),
        resize_mode="squash",
        interpolation="bicubic",
        antialias=False,
        colours="BGR",
        outputs="probabilities",
        multi_label=True,
        background=True,
        differentiable=False,
    )
    card = import_card("labels", spec, provenance())
    for text in (
        "1 classes: `cat`. A picture can have several of these labels.",
        "| input | 48 x 80 pixels, BGR |",
        "| resize | squash to 54 x 90 pixels |",
        "| interpolation | bicubic, without antialiasing |",
        "| outputs | probabilities, the first one is left out |",
        "| gradients with respect to the pixels | no |",
    ):
        assert text in card, text


def test_the_agreement_has_every_figure() -> None:
    card = import_card("pets", SPEC, provenance(agreement=AGREEMENT.to_json()))
    assert (
        "Compared with the source library's own preprocessing on 24 pictures: the most probable class is the same on "
        "23; the values of the input differ by at most 7.23 levels of 255 (0.288 on average; 1.09 at most where values "
        "beyond black and white are cut off after each pass, as it does), and the logits by at most 0.002 of their "
        "size (accepted: 1.5 levels)."
    ) in card
    same = replace(AGREEMENT, levels=1.09, same_top=24).to_json()
    assert (
        "is the same on 24; the values of the input differ by at most 1.09 levels of 255 (0.288 on average), and"
        in (import_card("pets", SPEC, provenance(agreement=same)))
    )


def test_warnings_are_sentences() -> None:
    card = import_card("pets", SPEC, provenance(warnings=["the classes have no names: give --classes", "it is old"]))
    assert "**Warning:** The classes have no names: give --classes.\n\n**Warning:** It is old." in card


def test_the_metrics_are_those_of_the_check() -> None:
    """Three of five photos are classified correctly, 2 of 3 cats and 1 of 2 dogs."""
    logits = torch.tensor([[0.8, 0.2], [0.7, 0.3], [0.4, 0.6], [0.1, 0.9], [0.6, 0.4]]).log()
    metrics = measure(logits, torch.tensor([0, 0, 0, 1, 1]), SPEC.classes).to_json()
    card = import_card("pets", SPEC, provenance(metrics=metrics, checked_on="photos.zip"))
    assert "**60.00 % of 5 photos of `photos.zip` classified correctly** (95 % interval" in card
    assert "| cat | 3 | 66.67 % |" in card and "| dog | 2 | 50.00 % |" in card
    assert "Nothing is known about whether the model was trained on some of them." in card


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_source_has_its_words(kind: str) -> None:
    source = {"kind": kind, "name": "owner/model", "licence": "unknown"}
    card = import_card("m", SPEC, provenance(source=source))
    assert f"{KINDS[kind]}, `owner/model`. Licence: unknown." in card


def test_of_many_classes_forty_are_named() -> None:
    spec = replace(SPEC, classes=tuple(f"class {number}" for number in range(1000)))
    card = import_card("m", spec, provenance())
    assert "`class 39` and 960 more." in card and "`class 40`" not in card


def test_texts_of_the_source_stay_in_their_place() -> None:
    """A file may have anything as its licence or its name, and folders anything as their names."""
    hostile = "x\n\n# heading\n<script>alert(1)</script>\n```\n[a](javascript:b)"
    source = {"kind": "torchvision", "file": hostile, "licence": hostile}
    card = import_card("m", replace(SPEC, classes=(hostile, "dog")), provenance(source=source, command=hostile))
    outside = card.replace(f"````\n{hostile}\n````", "")
    assert len(outside) < len(card), "the command is in a block with a longer fence"
    assert "\n# heading" not in outside and "\n```" not in outside and "\n<script>" not in outside
    assert r"Licence: x # heading \<script>alert(1)\</script> \`\`\` \[a](javascript:b)." in outside

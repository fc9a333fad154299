"""The models that come with the project do what their cards and the README say."""

import re

import pytest
from safetensors import safe_open
from torch import Tensor

from models import checkpoint, store
from models.attacks.report import adversarial
from models.classify import classify
from models.ideal import ideal
from models.pictures import decode, encode
from models.query import run

NAMES = store.checkpoint_names()


def test_cats_dogs_is_there() -> None:
    assert "cats-dogs" in NAMES


@pytest.mark.parametrize("name", NAMES)
def test_a_bundled_checkpoint_is_small_and_tells_its_story(name: str) -> None:
    """Under 6 MB; with recipe, data, metrics and parent; no path of the machine that made it."""
    file = store.BUNDLED / f"{name}.safetensors"
    assert file.stat().st_size < 6_000_000
    with safe_open(file, framework="pt") as opened:
        header = opened.metadata()
    assert not re.search(r"""["' =]/""", header["provenance"]), "no absolute path"
    story = checkpoint.read(file).provenance
    assert {"recipe", "data", "metrics", "versions", "parent", "created"} <= set(story)
    card = file.with_suffix(".md").read_text(encoding="utf-8")
    assert f"{story['metrics']['accuracy']:.2%}".rstrip("%") in card


def test_cats_dogs_was_judged_on_enough_photos() -> None:
    """98.5 % of a test split of 2,000 photos or more, which training did not see."""
    metrics = checkpoint.read(store.BUNDLED / "cats-dogs.safetensors").provenance["metrics"]
    assert (metrics["split"], metrics["photos"] >= 2000) == ("test", True)
    assert metrics["accuracy"] >= 0.985


def test_cats_dogs_knows_a_cat_and_can_be_fooled_about_it(chelsea: Tensor) -> None:
    model = store.load("cats-dogs")
    assert model.spec.classes == ("cat", "dog")
    (before,) = run(classify(chelsea, model.spec, top=1), model.classifier)
    assert before.label == "cat" and before.probability > 0.9
    result = run(adversarial(chelsea, model.spec, steps=10), model.classifier)
    (after,) = run(classify(decode(encode(result.picture)), model.spec, top=1), model.classifier)
    assert result.success and after.label == "dog" == result.adversarial.label
    assert (result.picture.int() - chelsea.int()).abs().max() <= 8


@pytest.mark.slow
@pytest.mark.parametrize("index", [0, 1])
def test_the_ideal_cat_and_dog(index: int) -> None:
    """As 8-bit pictures, classified again, at least 0.99."""
    model = store.load("cats-dogs")
    result = run(ideal(index, model.spec), model.classifier)
    (drawn,) = result.drawn
    (again,) = run(classify(decode(encode(drawn.picture)), model.spec, top=1), model.classifier)
    assert (again.index, again.probability >= 0.99) == (index, True)
    assert drawn.score.seen == pytest.approx(again.probability, abs=1e-4)
    assert drawn.score.robust >= 0.95 and drawn.reason is None

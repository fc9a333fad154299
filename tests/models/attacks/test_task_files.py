"""Tests the task that POST /adversarial runs for JPEG and other files: its values are those of the decoded file."""

import io

import pytest
import torch
from PIL import Image
from torch import Tensor

from models.attacks.survive import Survival, parse_survive
from models.attacks.task import adversarial
from models.classifier import Classifier
from models.classify import classify
from models.pictures import decode, encode
from models.preprocessing import preprocess, to_float
from models.run import run
from models.store import Model
from tests.conftest import Draw
from tests.models.attacks.attacking import few_steps, run_attack, stop_at
from tests.networks import Counting


def test_the_reported_values_of_a_jpeg_are_those_of_the_decoded_file(tiny: Classifier, draw: Draw) -> None:
    """`picture` is `to_encode` after JPEG compression; class, probability and norms are those of `picture`."""
    picture, network = draw(60, 50), Counting(tiny)
    task = adversarial(picture, tiny.spec, attack="ddn", steps=20, jpeg=80)
    result = run(task, network)
    decoded = decode(encode(result.to_encode, format="jpeg", quality=80))
    assert torch.equal(result.picture, decoded) and not torch.equal(result.picture, result.to_encode)
    prediction = run(classify(decoded, tiny.spec), tiny)[0]
    assert result.success and result.adversarial.label == prediction.label != result.original.label
    assert result.adversarial.probability == pytest.approx(prediction.probability, abs=1e-5)
    assert result.norms["l2"] == pytest.approx((decoded.double() - picture.double()).norm().item() / 255)
    assert result.survive == (Survival.jpeg(80),)
    assert (result.passes.forward, result.passes.backward) == (network.forward, network.backward)


def test_survival_of_a_jpeg_is_that_of_the_returned_file(tiny: Classifier, draw: Draw) -> None:
    """The returned JPEG is decoded and then resized or compressed again, and must still be adversarial."""
    picture, successes = draw(60, 50), 0
    for survive in ("resize:0.5", "jpeg:90"):
        result = run_attack(tiny, picture, attack="ddn", steps=30, jpeg=50, survive=parse_survive(survive))
        decoded = decode(encode(result.to_encode, format="jpeg", quality=50))
        (survival,) = parse_survive(survive)
        indices = [
            tiny.logits(preprocess(view(to_float(decoded).unsqueeze(0)), tiny.spec)).argmax() for view in survival.real
        ]
        assert result.survive == (Survival.jpeg(50), survival)
        if result.success:
            assert all(index != result.original.index for index in indices)
            successes += 1
    assert successes


def test_a_change_of_class_by_jpeg_compression_alone_counts_as_success(tiny: Classifier, draw: Draw) -> None:
    """At quality 1 the compression itself may change the class; success says whether the class of the file differs."""
    for seed in range(12):
        result = run_attack(tiny, draw(40, 40, seed=seed), attack="fgsm", epsilon=1 / 255, jpeg=1)
        assert result.success == (result.adversarial.index != result.original.index)


@pytest.mark.parametrize("attack", ["fgsm", "ddn"])
def test_a_jpeg_at_the_deadline_is_verified(tiny: Classifier, draw: Draw, attack: str) -> None:
    """Whenever the deadline comes, from the second yield on, the report is true of the returned JPEG."""
    picture, survive = draw(60, 50), parse_survive("resize:0.5")
    before = run(classify(picture, tiny.spec), tiny)[0]
    for yields in range(2, 6):
        options = {"attack": attack, "jpeg": 80, "survive": survive, "best_at_deadline": True, **few_steps(attack)}
        result = stop_at(adversarial(picture, tiny.spec, **options), tiny, yields)
        assert result.stopped
        prediction = run(classify(decode(encode(result.to_encode, format="jpeg", quality=80)), tiny.spec), tiny)[0]
        if yields > 2:  # at the second yield no JPEG has been evaluated yet
            assert prediction.index == result.adversarial.index
        assert not result.success or prediction.index != before.index


def test_the_result_survives_other_lossless_files(imagenet: Model, chelsea: Tensor) -> None:
    """The files are a lossless WebP, and a PNG that Pillow has written again with other settings."""
    result = run_attack(imagenet.classifier, chelsea, epsilon=4 / 255, steps=6)
    rewritten = io.BytesIO()
    Image.open(io.BytesIO(encode(result.picture))).save(rewritten, "PNG", optimize=True)
    for data in (encode(result.picture, format="webp"), rewritten.getvalue()):
        assert run(classify(decode(data), imagenet.spec), imagenet.classifier)[0].index == result.adversarial.index

"""The task behind /adversarial, as a JPEG or another file: its figures are true of what a reader of the file sees."""

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
from tests.models.attacks.attacking import attacked, few_steps, stop_at
from tests.networks import Counting


def test_as_a_jpeg_the_figures_are_of_what_it_shows(tiny: Classifier, draw: Draw) -> None:
    """`to_encode`, written as JPEG and read again, is `picture`, whose verdict and norms are told."""
    picture, network = draw(60, 50), Counting(tiny)
    task = adversarial(picture, tiny.spec, attack="ddn", steps=20, jpeg=80)
    result = run(task, network)
    read = decode(encode(result.to_encode, format="jpeg", quality=80))
    assert torch.equal(result.picture, read) and not torch.equal(result.picture, result.to_encode)
    again = run(classify(read, tiny.spec), tiny)[0]
    assert result.success and result.adversarial.label == again.label != result.original.label
    assert result.adversarial.probability == pytest.approx(again.probability, abs=1e-5)
    assert result.norms["l2"] == pytest.approx((read.double() - picture.double()).norm().item() / 255)
    assert result.survive == (Survival.jpeg(80),)
    assert (result.passes.forward, result.passes.backward) == (network.forward, network.backward)


def test_a_jpeg_is_to_survive_as_it_is_sent(tiny: Classifier, draw: Draw) -> None:
    """Success with `resize` or another JPEG is that of the file that is returned, resized or written anew."""
    picture, won = draw(60, 50), 0
    for survive in ("resize:0.5", "jpeg:90"):
        result = attacked(tiny, picture, attack="ddn", steps=30, jpeg=50, survive=parse_survive(survive))
        read = decode(encode(result.to_encode, format="jpeg", quality=50))
        (named,) = parse_survive(survive)
        indices = [
            tiny.logits(preprocess(view(to_float(read).unsqueeze(0)), tiny.spec)).argmax() for view in named.real
        ]
        assert result.survive == (Survival.jpeg(50), named)
        if result.success:
            assert all(index != result.original.index for index in indices)
            won += 1
    assert won


def test_what_the_jpeg_alone_does_counts(tiny: Classifier, draw: Draw) -> None:
    """Whatever quality 1 makes of a picture: success says whether the file's class is another."""
    for seed in range(12):
        result = attacked(tiny, draw(40, 40, seed=seed), attack="fgsm", epsilon=1 / 255, jpeg=1)
        assert result.success == (result.adversarial.index != result.original.index)


@pytest.mark.parametrize("attack", ["fgsm", "ddn"])
def test_a_jpeg_at_the_deadline_is_verified_too(tiny: Classifier, draw: Draw, attack: str) -> None:
    """From the second yield on, whenever it comes: a report that is true of the JPEG, which is to outlive resizing."""
    picture, survive = draw(60, 50), parse_survive("resize:0.5")
    before = run(classify(picture, tiny.spec), tiny)[0]
    for moment in range(2, 6):
        options = {"attack": attack, "jpeg": 80, "survive": survive, "best_at_deadline": True, **few_steps(attack)}
        result = stop_at(adversarial(picture, tiny.spec, **options), tiny, moment)
        assert result.stopped
        again = run(classify(decode(encode(result.to_encode, format="jpeg", quality=80)), tiny.spec), tiny)[0]
        if moment > 2:  # at the second, nobody has looked at a JPEG yet
            assert again.index == result.adversarial.index
        assert not result.success or again.index != before.index


def test_it_survives_other_exact_files_too(imagenet: Model, chelsea: Tensor) -> None:
    """Lossless WebP, and a PNG written anew by other software."""
    result = attacked(imagenet.classifier, chelsea, epsilon=4 / 255, steps=6)
    rewritten = io.BytesIO()
    Image.open(io.BytesIO(encode(result.picture))).save(rewritten, "PNG", optimize=True)
    for data in (encode(result.picture, format="webp"), rewritten.getvalue()):
        assert run(classify(decode(data), imagenet.spec), imagenet.classifier)[0].index == result.adversarial.index

"""The task behind /classify."""

import torch
from torch import Tensor

from models.classifier import Classifier
from models.classify import Prediction, classify, rank
from models.pictures import decode
from models.query import Answer, Query
from models.run import run
from models.spec import Spec
from models.store import Model
from tests.conftest import Draw

SPEC = Spec("mobilenet_v2", ("a", "b", "c"), input_size=32, resize=36)


def test_rank_by_hand() -> None:
    """Odds of 1 : 2 : 5, best first."""
    logits = torch.tensor([1.0, 2.0, 5.0]).log()
    found = rank(logits, SPEC)
    assert [(each.label, each.index) for each in found] == [("c", 2), ("b", 1), ("a", 0)]
    torch.testing.assert_close(torch.tensor([each.probability for each in found]), torch.tensor([0.625, 0.25, 0.125]))


def test_the_top_is_cut_and_ties_keep_their_order() -> None:
    assert [each.index for each in rank(torch.zeros(3), SPEC, top=2)] == [0, 1]
    assert len(rank(torch.zeros(3), SPEC, top=1000)) == 3


def test_a_picture_is_asked_about_once_without_gradients(draw: Draw) -> None:
    """One row of the network's size, no objective; the answer's logits are ranked."""
    asked: list[Query] = []

    class Network:
        def answer(self, queries: list[Query]) -> list[Answer]:
            asked.extend(queries)
            return [Answer(torch.tensor([[0.0, 3.0, 1.0]]))]

    (best,) = run(classify(draw(50, 70), SPEC, top=1), Network())
    assert best.label == "b"
    (query,) = asked
    assert query.pixels.shape == (1, 3, 32, 32)
    assert query.objective is None


def test_it_agrees_with_the_classifiers_own_probabilities(tiny: Classifier, chelsea: Tensor) -> None:
    found = run(classify(chelsea, tiny.spec), tiny)
    wanted = tiny.probabilities(chelsea.unsqueeze(0) / 255)[0]
    assert len(found) == 4
    for each in found:
        assert abs(each.probability - wanted[each.index]) < 1e-6


def test_imagenet_photos(imagenet: Model, imagenet_photos: list[tuple[int, bytes]]) -> None:
    """MobileNetV2 has 0.83 of a thousand such photos right, so 0.75 and more of a hundred, nearly surely."""
    hits = [
        run(classify(decode(data), imagenet.spec, top=1), imagenet.classifier)[0].index == index
        for index, data in imagenet_photos
    ]
    assert sum(hits) >= 75


def test_chelsea_is_a_cat(imagenet: Model, chelsea: Tensor) -> None:
    """ImageNet's domestic cats are the classes 281 to 285."""
    best = run(classify(chelsea, imagenet.spec), imagenet.classifier)[0]
    assert isinstance(best, Prediction)
    assert best.index in range(281, 286)

"""Tests the classification task that POST /classify runs."""

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


def test_classes_are_ranked_by_probability() -> None:
    """Logits log 1, log 2 and log 5 give the probabilities 1/8, 2/8 and 5/8; the largest comes first."""
    logits = torch.tensor([1.0, 2.0, 5.0]).log()
    predictions = rank(logits, SPEC)
    assert [(prediction.label, prediction.index) for prediction in predictions] == [("c", 2), ("b", 1), ("a", 0)]
    torch.testing.assert_close(
        torch.tensor([prediction.probability for prediction in predictions]), torch.tensor([0.625, 0.25, 0.125])
    )


def test_at_most_top_classes_are_ranked_and_ties_keep_their_order() -> None:
    assert [prediction.index for prediction in rank(torch.zeros(3), SPEC, top=2)] == [0, 1]
    assert len(rank(torch.zeros(3), SPEC, top=1000)) == 3


def test_classifying_sends_one_query_without_gradients(draw: Draw) -> None:
    """The query has one row of the network's input size and no objective; the logits of its answer are ranked."""
    received: list[Query] = []

    class Network:
        def answer(self, queries: list[Query]) -> list[Answer]:
            received.extend(queries)
            return [Answer(torch.tensor([[0.0, 3.0, 1.0]]))]

    (best,) = run(classify(draw(50, 70), SPEC, top=1), Network())
    assert best.label == "b"
    (query,) = received
    assert query.pixels.shape == (1, 3, 32, 32)
    assert query.objective is None


def test_the_task_agrees_with_classifier_probabilities(tiny: Classifier, chelsea: Tensor) -> None:
    predictions = run(classify(chelsea, tiny.spec), tiny)
    expected = tiny.probabilities(chelsea.unsqueeze(0) / 255)[0]
    assert len(predictions) == 4
    for prediction in predictions:
        assert abs(prediction.probability - expected[prediction.index]) < 1e-6


def test_most_imagenet_photos_are_classified_correctly(
    imagenet: Model, imagenet_photos: list[tuple[int, bytes]]
) -> None:
    """MobileNetV2 is right on 0.83 of 1000 such photos, so almost surely on at least 75 of these."""
    hits = [
        run(classify(decode(data), imagenet.spec, top=1), imagenet.classifier)[0].index == index
        for index, data in imagenet_photos
    ]
    assert sum(hits) >= 75


def test_the_photo_of_a_cat_is_classified_as_a_cat(imagenet: Model, chelsea: Tensor) -> None:
    """ImageNet's domestic cats are the classes 281 to 285."""
    best = run(classify(chelsea, imagenet.spec), imagenet.classifier)[0]
    assert isinstance(best, Prediction)
    assert best.index in range(281, 286)

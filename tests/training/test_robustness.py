from collections.abc import Sequence

import pytest
import torch

from models.attacks.options import BadAttack
from models.classifier import Classifier
from models.preprocessing import to_float
from models.query import Answer, Query, Task
from tests.networks import LinearNetwork, unnormalised
from training import robustness as module
from training.metrics import wilson
from training.robustness import robustness, scattered

SIDE = 16
LEVELS = (1, 2, 4, 8)


@pytest.fixture
def classifier() -> Classifier:
    return Classifier(LinearNetwork(2, SIDE), unnormalised(2, SIDE))


@pytest.fixture
def photos(classifier: Classifier) -> list[tuple[torch.Tensor, int]]:
    """Noise of little contrast, so that many photos are near the decision boundary; three have the wrong label."""
    random = torch.Generator().manual_seed(0)
    photos = []
    for number in range(24):
        pixels = torch.randint(110, 146, (3, SIDE, SIDE), dtype=torch.uint8, generator=random)
        label = int(classifier.logits(to_float(pixels).unsqueeze(0)).argmax())
        photos.append((pixels, 1 - label if number % 8 == 7 else label))
    return photos


def budget(classifier: Classifier, pixels: torch.Tensor, label: int) -> float:
    """The levels by which values must change: a change e lowers the lead of a linear model by e times sum |weights|."""
    weight = classifier.network[1].layer.weight
    lead = classifier.logits(to_float(pixels).unsqueeze(0))[0] @ torch.tensor([1.0 - 2 * label, 2.0 * label - 1])
    return (lead / (weight[0] - weight[1]).abs().sum()).item() * 255


def test_the_curve_of_a_linear_model_has_a_closed_form(
    classifier: Classifier, photos: list[tuple[torch.Tensor, int]]
) -> None:
    needed = [budget(classifier, *photo) for photo in photos]
    assert sum(level < 0 for level in needed) == 3  # classified wrongly without an attack
    budgets = sorted(level for level in needed if level > 0)
    epsilons = [level / 255 for level in (round(budgets[3] + 0.5), round(budgets[-4] + 0.5))]
    result = robustness(classifier, photos, epsilons=epsilons, steps=10)
    assert [row["epsilon"] for row in result["curve"]] == [0.0, *epsilons]
    for row in result["curve"]:
        right = sum(level > row["epsilon"] * 255 for level in needed)
        assert row["accuracy"] == right / 24 and row["interval"] == list(wilson(right, 24))
    assert 1 > result["curve"][0]["accuracy"] > result["curve"][1]["accuracy"] > result["curve"][2]["accuracy"]
    assert (result["attack"], result["norm"], result["photos"], result["options"]) == (
        "apgd",
        "linf",
        24,
        {"steps": 10},
    )


@pytest.mark.parametrize(("norm", "least", "most"), [("linf", 1 / 255, 8 / 255), ("l2", 0.5, 4.0), ("l1", 10.0, 300.0)])
def test_default_budgets_depend_on_the_norm(
    classifier: Classifier, photos: list[tuple[torch.Tensor, int]], norm: str, least: float, most: float
) -> None:
    curve = robustness(classifier, photos[:2], norm=norm, steps=1)["curve"]
    assert [row["epsilon"] for row in curve][:2] == [0.0, least] and curve[-1]["epsilon"] == most


def test_without_time_one_photo_is_measured(classifier: Classifier, photos: list[tuple[torch.Tensor, int]]) -> None:
    curve = robustness(classifier, iter(photos), seconds=0.0, steps=1)
    assert curve["photos"] == 1 and curve["curve"][0]["interval"] == list(wilson(1, 1))


def test_photos_are_taken_as_long_as_they_will_end_in_time(
    classifier: Classifier, photos: list[tuple[torch.Tensor, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """By this clock each pass takes a second, and two photos at a time take two passes: a second for each photo.

    After 2n photos and 2n seconds the next photo is expected to end after 2n + 1, so that five pairs begin in ten.
    """
    seconds, answer = 0.0, Classifier.answer

    def timed(network: Classifier, queries: Sequence[Query]) -> list[Answer]:
        nonlocal seconds
        seconds += 1
        return answer(network, queries)

    def two_passes(pixels: torch.Tensor, label: int, *_: object) -> Task[float]:
        yield Query(to_float(pixels).unsqueeze(0))
        yield Query(to_float(pixels).unsqueeze(0))
        return float("inf")

    monkeypatch.setattr(Classifier, "answer", timed)
    monkeypatch.setattr(module, "_smallest_budget", two_passes)
    monkeypatch.setattr(module, "AT_ONCE_ON_CPU", 2)
    monkeypatch.setattr(module.time, "monotonic", lambda: seconds)
    assert robustness(classifier, photos, seconds=10.0, steps=1)["photos"] == 10
    assert robustness(classifier, photos, steps=1)["photos"] == 24


def test_every_beginning_of_the_order_is_spread() -> None:
    """The bits of 0 to 7 in reverse; with fewer numbers those that are too large are left out."""
    assert scattered(8) == [0, 4, 2, 6, 1, 5, 3, 7]
    assert scattered(6) == [0, 4, 2, 1, 5, 3]
    assert (scattered(1), scattered(0)) == ([0], [])


def test_an_attack_ends_at_its_first_success_and_counts_are_the_same(
    classifier: Classifier, photos: list[tuple[torch.Tensor, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Within 8 levels every photo of so little contrast is misclassified, in the first of 20 steps."""
    passes, answer = 0, Classifier.answer

    def counted(network: Classifier, queries: Sequence[Query]) -> list[Answer]:
        nonlocal passes
        passes += sum(query.objective is not None for query in queries)
        return answer(network, queries)

    monkeypatch.setattr(Classifier, "answer", counted)
    first = robustness(classifier, photos, epsilons=[8 / 255], steps=20)
    few, passes = passes, 0
    strongest = robustness(classifier, photos, epsilons=[8 / 255], steps=20, stop="strongest")
    assert first["curve"] == strongest["curve"] and first["curve"][1]["accuracy"] == 0
    assert few <= 3 * 21 < 20 * 21 <= passes  # three of the 24 are misclassified without an attack


def test_an_attack_without_a_budget_is_refused(classifier: Classifier, photos: list[tuple[torch.Tensor, int]]) -> None:
    with pytest.raises(BadAttack, match="takes no epsilon"):
        robustness(classifier, photos, attack="deepfool")

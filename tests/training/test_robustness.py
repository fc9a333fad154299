import pytest
import torch

from models.attacks.options import BadAttack
from models.classifier import Classifier
from models.preprocessing import to_float
from tests.networks import LinearNetwork, unnormalised
from training.metrics import wilson
from training.robustness import robustness

SIDE = 16
LEVELS = (1, 2, 4, 8)


@pytest.fixture
def classifier() -> Classifier:
    return Classifier(LinearNetwork(2, SIDE), unnormalised(2, SIDE))


@pytest.fixture
def photos(classifier: Classifier) -> list[tuple[torch.Tensor, int]]:
    """Grey-ish noise of little contrast, so that many lie near the border; a few have the other label."""
    random = torch.Generator().manual_seed(0)
    found = []
    for number in range(24):
        pixels = torch.randint(110, 146, (3, SIDE, SIDE), dtype=torch.uint8, generator=random)
        label = int(classifier.logits(to_float(pixels).unsqueeze(0)).argmax())
        found.append((pixels, 1 - label if number % 8 == 7 else label))
    return found


def budget(classifier: Classifier, pixels: torch.Tensor, label: int) -> float:
    """All values moved by e change a linear model's lead by e times the sum of |weights|: the levels that it takes."""
    weight = classifier.network[1].layer.weight
    lead = classifier.logits(to_float(pixels).unsqueeze(0))[0] @ torch.tensor([1.0 - 2 * label, 2.0 * label - 1])
    return (lead / (weight[0] - weight[1]).abs().sum()).item() * 255


def test_the_curve_of_a_linear_model_has_a_closed_form(
    classifier: Classifier, photos: list[tuple[torch.Tensor, int]]
) -> None:
    needed = [budget(classifier, *photo) for photo in photos]
    assert sum(each < 0 for each in needed) == 3  # wrong as they stand
    budgets = sorted(each for each in needed if each > 0)
    epsilons = [level / 255 for level in (round(budgets[3] + 0.5), round(budgets[-4] + 0.5))]
    found = robustness(classifier, photos, epsilons=epsilons, steps=10)
    assert [row["epsilon"] for row in found["curve"]] == [0.0, *epsilons]
    for row in found["curve"]:
        right = sum(each > row["epsilon"] * 255 for each in needed)
        assert row["accuracy"] == right / 24 and row["interval"] == list(wilson(right, 24))
    assert 1 > found["curve"][0]["accuracy"] > found["curve"][1]["accuracy"] > found["curve"][2]["accuracy"]
    assert (found["attack"], found["norm"], found["photos"], found["options"]) == ("apgd", "linf", 24, {"steps": 10})


@pytest.mark.parametrize(("norm", "least", "most"), [("linf", 1 / 255, 8 / 255), ("l2", 0.5, 4.0), ("l1", 10.0, 300.0)])
def test_budgets_are_of_the_norm_s_own_size(
    classifier: Classifier, photos: list[tuple[torch.Tensor, int]], norm: str, least: float, most: float
) -> None:
    curve = robustness(classifier, photos[:2], norm=norm, steps=1)["curve"]
    assert [row["epsilon"] for row in curve][:2] == [0.0, least] and curve[-1]["epsilon"] == most


def test_an_attack_without_a_budget_is_refused(classifier: Classifier, photos: list[tuple[torch.Tensor, int]]) -> None:
    with pytest.raises(BadAttack, match="takes no epsilon"):
        robustness(classifier, photos, attack="deepfool")

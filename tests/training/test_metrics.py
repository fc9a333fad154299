import math

import pytest
import torch

from training.metrics import TEMPERATURES, Metrics, best_temperature, expected_calibration_error, measure, wilson


def test_wilson_intervals_of_the_textbook() -> None:
    """9 of 10: 0.596 to 0.982 (Brown, Cai and DasGupta 2001); 0 of n starts at 0 and ends at z^2 / (n + z^2)."""
    assert wilson(9, 10) == pytest.approx((0.5958, 0.9821), abs=1e-4)
    assert wilson(0, 10) == pytest.approx((0, 3.8415 / 13.8415), abs=1e-4)
    assert wilson(10, 10)[1] == 1


def test_calibration_error_by_hand() -> None:
    """Four photos at confidence 0.9, three right, and one at 0.6, wrong: (4 |0.9 - 0.75| + 1 |0.6 - 0|) / 5 = 0.24."""
    logits = torch.tensor([[0.9, 0.1]] * 4 + [[0.6, 0.4]]).log()
    labels = torch.tensor([0, 0, 0, 1, 1])
    assert expected_calibration_error(logits, labels) == pytest.approx(0.24, abs=1e-6)


def test_full_confidence_falls_into_the_last_bin() -> None:
    assert expected_calibration_error(torch.tensor([[100.0, -100.0]]), torch.tensor([0])) == 0


def test_the_temperature_has_a_closed_form_for_equal_logits() -> None:
    """All photos have logit 4 for the first class, which is right for 3 of 4: sigmoid(4 / T) = 3/4, so T = 4 / ln 3."""
    logits = torch.tensor([[4.0, 0.0]] * 4)
    assert best_temperature(logits, torch.tensor([0, 0, 0, 1])) == pytest.approx(4 / math.log(3), rel=1e-6)


def test_scaling_the_logits_scales_the_temperature() -> None:
    torch.manual_seed(0)
    logits, labels = torch.randn(200, 5), torch.randint(0, 5, (200,))
    logits[range(200), labels] += 1
    temperature = best_temperature(logits, labels)
    assert best_temperature(3 * logits, labels) == pytest.approx(3 * temperature, rel=1e-6)
    # No other temperature has a smaller loss.
    losses = [torch.nn.functional.cross_entropy(logits / (temperature * by), labels) for by in (0.99, 1, 1.01)]
    assert losses[1] == min(losses)


def test_the_temperature_has_bounds() -> None:
    """If all photos are right, the smallest temperature is best; if all are wrong, the largest."""
    logits = torch.tensor([[2.0, 0.0]] * 3)
    assert best_temperature(logits, torch.tensor([0, 0, 0])) == pytest.approx(TEMPERATURES[0])
    assert best_temperature(logits, torch.tensor([1, 1, 1])) == pytest.approx(TEMPERATURES[1])


def test_all_figures_by_hand() -> None:
    """Two of three cats and one of two dogs are classified correctly."""
    probabilities = torch.tensor([[0.8, 0.2], [0.7, 0.3], [0.4, 0.6], [0.1, 0.9], [0.6, 0.4]])
    metrics = measure(probabilities.log(), torch.tensor([0, 0, 0, 1, 1]), ("cat", "dog"))
    assert (metrics.photos, metrics.correct, metrics.accuracy) == (5, 3, 0.6)
    assert metrics.confusion == [[2, 1], [1, 1]]
    # Two of three cats and one of two dogs: (2/3 + 1/2) / 2.
    assert metrics.balanced_accuracy == pytest.approx(7 / 12)
    assert metrics.per_class["cat"] == {"photos": 3, "correct": 2, "accuracy": pytest.approx(2 / 3)}
    assert metrics.nll == pytest.approx(-math.log(0.8 * 0.7 * 0.4 * 0.9 * 0.4) / 5, rel=1e-6)
    assert metrics.interval == wilson(3, 5) and metrics.top3 == 1
    assert metrics.mistaken() == [("cat", "dog", 1), ("dog", "cat", 1)]
    # Of 15 bins: 0.6 (wrong, wrong) is in the tenth, 0.7 and 0.8 in the 11th and 13th, 0.9 in the 14th.
    filled = {number: row for number, row in enumerate(metrics.reliability) if row[0]}
    assert filled == {
        9: (2, pytest.approx(0.6), 0.0),
        10: (1, pytest.approx(0.7), 1.0),
        12: (1, pytest.approx(0.8), 1.0),
        13: (1, pytest.approx(0.9), 1.0),
    }


def test_top_3_accuracy_counts_the_third_class_and_not_the_fourth() -> None:
    logits = torch.tensor([[4.0, 3.0, 2.0, 1.0, 0.0]] * 4)
    assert measure(logits, torch.tensor([0, 2, 3, 4]), tuple("abcde")).top3 == 0.5


def test_for_a_thousand_classes_mistakes_are_stored_without_the_matrix() -> None:
    names = tuple(f"class {number}" for number in range(1000))
    logits = torch.nn.functional.one_hot(torch.tensor([3, 3, 999, 5]), 1000).float()
    stored = measure(logits, torch.tensor([3, 4, 4, 5]), names).to_json()
    assert stored["confusion"] is None
    assert stored["mistaken"] == [
        {"class": "class 4", "taken_for": "class 3", "photos": 1},
        {"class": "class 4", "taken_for": "class 999", "photos": 1},
    ]


def scored(predicted: list[int], labels: list[int], classes: int) -> Metrics:
    logits = torch.nn.functional.one_hot(torch.tensor(predicted), classes).float() * 9
    return measure(logits, torch.tensor(labels), tuple("abcdefgh")[:classes])


def test_a_rare_class_counts_for_half_of_the_balanced_accuracy() -> None:
    """190 photos of one class and 10 of another are all classified as the first: accuracy 95 %, balanced 50 %."""
    metrics = scored([0] * 200, [0] * 190 + [1] * 10, 2)
    assert (metrics.accuracy, metrics.balanced_accuracy, metrics.never_predicted) == (0.95, 0.5, ("b",))
    assert metrics.to_json()["never_predicted"] == ["b"] and metrics.to_json()["balanced_accuracy"] == 0.5


def test_a_class_that_is_never_predicted_is_listed() -> None:
    """A class that is only predicted for photos of other classes counts as predicted."""
    metrics = scored([0, 0, 2, 2, 0], [0, 0, 1, 2, 2], 3)
    assert metrics.never_predicted == ("b",) and metrics.balanced_accuracy == pytest.approx((1 + 0 + 0.5) / 3)
    assert scored([0, 1], [0, 2], 3).never_predicted == ("c",)


def test_a_class_of_one_photo_counts_as_much_as_one_of_many() -> None:
    assert scored([0, 0, 0, 0, 1], [0, 0, 0, 1, 1], 2).balanced_accuracy == pytest.approx(0.75)
    assert scored([0] * 9 + [1], [0] * 9 + [1], 2).balanced_accuracy == 1
    assert scored([0] * 10, [0] * 9 + [1], 2).balanced_accuracy == 0.5


def test_classes_without_photos_have_no_accuracy() -> None:
    """Two of four classes have photos: the others do not count in any figure, whether predicted or not."""
    metrics = scored([0, 1, 3, 1], [0, 0, 1, 1], 4)
    assert metrics.balanced_accuracy == 0.5 and metrics.never_predicted == ()
    assert metrics.per_class["c"] == {"photos": 0, "correct": 0, "accuracy": None}
    assert metrics.to_json()["per_class"]["d"]["accuracy"] is None


def test_for_a_single_class_balanced_accuracy_is_plain_accuracy() -> None:
    metrics = scored([1, 1, 0, 1], [1, 1, 1, 1], 2)
    assert metrics.accuracy == metrics.balanced_accuracy == 0.75
    assert scored([0, 0], [1, 1], 2).never_predicted == ("b",)

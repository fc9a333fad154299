import torch

from training.label_errors import find_label_errors, out_of_sample


def draw_clouds(count: int = 60) -> tuple[torch.Tensor, torch.Tensor]:
    """Three clouds of points far apart, one for each class."""
    torch.manual_seed(0)
    labels = torch.arange(3 * count) % 3
    centres = torch.tensor([[9.0, 0.0], [-9.0, 0.0], [0.0, 14.0]])
    return centres[labels] + torch.randn(3 * count, 2), labels


def test_exactly_the_swapped_labels_are_found() -> None:
    features, labels = draw_clouds()
    swapped = {5: 0, 50: 1, 100: 2}
    wrong = labels.clone()
    for index, label in swapped.items():
        wrong[index] = label
    doubts = find_label_errors(features, wrong, 3)
    assert {doubt.index for doubt in doubts} == {index for index, label in swapped.items() if label != labels[index]}
    assert all(doubt.other == labels[doubt.index] and doubt.probability > 0.9 > 0.1 > doubt.own for doubt in doubts)


def test_no_clean_label_is_doubted() -> None:
    assert find_label_errors(*draw_clouds(), 3) == []


def test_the_least_probable_label_comes_first() -> None:
    features, labels = draw_clouds()
    wrong = labels.clone()
    wrong[0], wrong[3] = 1, 1  # both are of class 0
    features[3] = torch.tensor([4.0, 0.0])  # but this one lies near the border
    doubts = find_label_errors(features, wrong, 3)
    assert [doubt.index for doubt in doubts][:1] == [0]
    gaps = [doubt.probability - doubt.own for doubt in doubts]
    assert gaps == sorted(gaps, reverse=True)


def test_no_photo_is_judged_by_a_probe_trained_on_it() -> None:
    """Every photo has a feature of its own, so a probe can only guess the photos that it was not trained on."""
    features, labels = torch.eye(40), torch.arange(40) % 2
    assert (out_of_sample(features, labels, 2, penalty=0.1, seed=0) - 0.5).abs().max() < 0.2

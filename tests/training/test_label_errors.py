import torch

from training.label_errors import find_label_errors, out_of_sample


def clouds(count: int = 60) -> tuple[torch.Tensor, torch.Tensor]:
    """Three clouds of points far apart, one for each class."""
    torch.manual_seed(0)
    labels = torch.arange(3 * count) % 3
    centres = torch.tensor([[9.0, 0.0], [-9.0, 0.0], [0.0, 14.0]])
    return centres[labels] + torch.randn(3 * count, 2), labels


def test_exactly_the_labels_that_were_swapped_are_in_doubt() -> None:
    features, labels = clouds()
    swapped = {5: 0, 50: 1, 100: 2}
    wrong = labels.clone()
    for index, label in swapped.items():
        wrong[index] = label
    found = find_label_errors(features, wrong, 3)
    assert {doubt.index for doubt in found} == {index for index, label in swapped.items() if label != labels[index]}
    assert all(doubt.other == labels[doubt.index] and doubt.probability > 0.9 > 0.1 > doubt.own for doubt in found)


def test_clean_labels_are_not_in_doubt() -> None:
    assert find_label_errors(*clouds(), 3) == []


def test_the_least_likely_comes_first() -> None:
    features, labels = clouds()
    wrong = labels.clone()
    wrong[0], wrong[3] = 1, 1  # both are of class 0
    features[3] = torch.tensor([4.0, 0.0])  # but this one lies near the border
    found = find_label_errors(features, wrong, 3)
    assert [doubt.index for doubt in found][:1] == [0]
    gaps = [doubt.probability - doubt.own for doubt in found]
    assert gaps == sorted(gaps, reverse=True)


def test_no_photo_is_judged_by_a_probe_that_saw_it() -> None:
    """Features that name each photo: a probe learns them by heart, and knows nothing of the ones left out."""
    features, labels = torch.eye(40), torch.arange(40) % 2
    assert (out_of_sample(features, labels, 2, penalty=0.1, seed=0) - 0.5).abs().max() < 0.2

"""Tests which orders of the classes are found by the confusion matrix."""

import random
from collections.abc import Sequence

import pytest
import torch

from models.architectures.timm_networks import imagenet_names
from training.importing.class_order import Reordering, find_reordering, usual_orders

CLASSES = ("eel", "bee", "Cat", "dog", "ant", "fox 10", "fox 9")


def found(
    order: Sequence[int], classes: Sequence[str], *, each: int = 5, wrong: int = 0, photographed: int | None = None
) -> Reordering | None:
    """What is found if output i belongs to the class `order[i]`, on `each` photos of each class, or of the first ones.

    Of each class `wrong` photos are taken for the next one.
    """
    labels = torch.arange(photographed or len(classes)).repeat_interleave(each)
    mistaken = torch.arange(len(labels)) % each < wrong
    seen_as = torch.where(mistaken, (labels + 1) % len(classes), labels)
    outputs = torch.tensor(order).argsort()[seen_as]
    return find_reordering(torch.eye(len(classes))[outputs], labels, classes)


def shuffled(classes: int, seed: int = 0) -> list[int]:
    return random.Random(seed).sample(range(classes), classes)


def test_the_right_order_is_left_alone() -> None:
    assert found(range(7), CLASSES) is None
    assert found(range(7), CLASSES, wrong=2) is None
    assert found(range(2), ("cat", "dog"), each=50, wrong=20) is None
    assert found(range(1000), imagenet_names(), each=1, photographed=100) is None


@pytest.mark.parametrize(("name", "order"), list(usual_orders(CLASSES)))
def test_a_usual_order_is_found(name: str, order: tuple[int, ...]) -> None:
    """On ten photos of each class, one of which is mistaken; some orders change only two or three classes."""
    reordering = found(order, CLASSES, each=10, wrong=1)
    assert reordering is not None
    assert (reordering.name, reordering.order, reordering.is_fitted) == (name, order, False)
    assert reordering.accuracy == pytest.approx(0.9)
    assert reordering.before < 0.9
    assert reordering.renamed(CLASSES) == tuple(CLASSES[index] for index in order)
    assert reordering.outputs_of(torch.tensor(order)).tolist() == list(range(7))


def names_of(classes: Sequence[str]) -> dict[str, list[str]]:
    """The names in each usual order."""
    return {name: [classes[index] for index in order] for name, order in usual_orders(classes)}


def test_usual_orders_of_names() -> None:
    assert names_of(CLASSES) == {
        "each class one output later": ["fox 9", "eel", "bee", "Cat", "dog", "ant", "fox 10"],
        "each class one output earlier": ["bee", "Cat", "dog", "ant", "fox 10", "fox 9", "eel"],
        "the classes in alphabetical order": ["Cat", "ant", "bee", "dog", "eel", "fox 10", "fox 9"],
        "the classes in alphabetical order without regard to capitals": [
            "ant", "bee", "Cat", "dog", "eel", "fox 10", "fox 9"
        ],
        "the classes in the order of the numbers in their names": [
            "ant", "bee", "Cat", "dog", "eel", "fox 9", "fox 10"
        ],
        "the classes in the reverse order": ["fox 9", "fox 10", "ant", "dog", "Cat", "bee", "eel"],
    }  # fmt: skip


def test_orders_of_numbers() -> None:
    """Folders called 0 to 11 are sorted as texts by most training scripts: output 2 is then the folder 10."""
    numbers = [str(number) for number in range(12)]
    as_texts = ["0", "1", "10", "11", "2", "3", "4", "5", "6", "7", "8", "9"]
    assert names_of(numbers)["the classes in alphabetical order"] == as_texts
    animals = ["eel", "cat", "bee", "dog", "fox", "ant", "hen", "gnu", "ape", "owl", "cow", "pig"]
    by_name = names_of(animals)
    as_texts_too = by_name["the classes in the order of their numbers as texts (0, 1, 10, 100, ...)"]
    assert as_texts_too == [animals[int(number)] for number in as_texts]
    undone = usual_orders(as_texts_too)
    orders = {name: [as_texts_too[index] for index in order] for name, order in undone}
    assert orders["the classes sorted by number, and not by their numbers as texts"] == animals


def test_two_classes_can_only_be_swapped() -> None:
    assert list(usual_orders(("cat", "dog"))) == [("the two classes swapped", (1, 0))]
    reordering = found((1, 0), ("cat", "dog"), each=20, wrong=1)
    assert reordering is not None
    assert (reordering.name, reordering.renamed(("cat", "dog"))) == ("the two classes swapped", ("dog", "cat"))


def test_imagenets_classes_are_found_from_one_photo_of_each_of_a_hundred() -> None:
    """The names are in alphabetical order, or one place off as with a background class, and the outputs ImageNet's."""
    names = imagenet_names()
    for given in (tuple(sorted(names)), (*names[1:], names[0]), (names[-1], *names[:-1]), names[::-1]):
        order = [given.index(name) for name in names]
        reordering = found(order, given, each=1, photographed=100)
        assert reordering is not None
        assert reordering.renamed(given) == names


def test_some_classes_of_imagenet_may_be_in_its_order() -> None:
    """The folders of ImageNet are sorted by WordNet's IDs: tench, English springer, cassette player, chain saw."""
    given = ("cassette player", "English springer", "chain saw", "tench")
    assert names_of(given)["the classes in ImageNet's order"] == [
        "tench", "English springer", "cassette player", "chain saw"
    ]  # fmt: skip


def test_any_order_is_found_with_several_photos_of_each_class() -> None:
    """Each half has two photos or more of each class, half of which are right: the judged accuracy is the true one."""
    classes = [f"breed {letter}" for letter in "abcdefghijklmnopqrstuvwxyz"]
    order = shuffled(26)
    reordering = found(order, classes, each=6, wrong=1)
    assert reordering is not None and reordering.is_fitted
    assert reordering.order == tuple(order)
    assert reordering.accuracy == pytest.approx(5 / 6)
    assert reordering.before < 0.2


def test_an_unusual_order_is_preferred_where_it_fits_far_better() -> None:
    """Of eight classes five are one output later, as in a usual order, and three are in an order of their own."""
    order = [7, 0, 1, 2, 3, 6, 4, 5]
    assert [output for output in range(8) if order[output] == (output - 1) % 8] == [0, 1, 2, 3, 4]
    reordering = found(order, [f"breed {letter}" for letter in "hgfedcba"], each=10)
    assert reordering is not None and reordering.is_fitted
    assert (reordering.order, reordering.accuracy) == (tuple(order), 1.0)


def test_two_classes_of_many_may_have_changed_places() -> None:
    """Ten photos of each gain, and no others change; five of each are no certainty (a p of 2 / 2 ** 10)."""
    classes = [f"breed {number}" for number in range(40)]
    order = [1, 0, *range(2, 40)]
    reordering = found(order, classes, each=10)
    assert reordering is not None
    assert reordering.order == tuple(order)
    assert (reordering.accuracy, reordering.before) == (1.0, 0.95)
    assert found(order, classes, each=5) is None


def test_classes_without_photos_keep_their_outputs() -> None:
    """Only the first 20 of a thousand classes are photographed, which are in any order among themselves."""
    classes = [f"breed {number}" for number in range(1000)]
    order = [*shuffled(20), *range(20, 1000)]
    reordering = found(order, classes, each=5, photographed=20)
    assert reordering is not None and reordering.order == tuple(order)


def test_an_assignment_that_fits_the_photos_by_chance_is_no_order() -> None:
    """Any answers are fitted by some assignment; on the other half of the photos it is no better than the order is."""
    for seed in range(20):
        generator = torch.Generator().manual_seed(seed)
        logits, labels = torch.randn(60, 10, generator=generator), torch.arange(60) % 10
        assert find_reordering(logits, labels, [f"class {number}" for number in range(10)]) is None


def test_one_photo_of_each_class_finds_no_unusual_order() -> None:
    assert found(shuffled(30), [f"breed {number}" for number in range(30)], each=1) is None


def test_a_single_class_has_one_order() -> None:
    assert found([0], ("cat",)) is None

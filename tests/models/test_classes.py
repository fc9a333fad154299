"""What a person calls a class, and which one that is."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from torchvision.models import MobileNet_V2_Weights

from models.classes import ClassNames, UnknownClass, imagenet_synonyms, normal_form

PETS = ClassNames(["Siamese", "american_bulldog", "3", "wheaten terrier", "Bengal"])
IMAGENET = ClassNames(MobileNet_V2_Weights.DEFAULT.meta["categories"])


@pytest.mark.parametrize(
    "text",
    ["american_bulldog", "American Bulldog", "AMERICAN-BULLDOG", "  american   bulldog ", "american_-_bulldog", "1"],
)
def test_case_underscores_hyphens_and_spaces_are_alike(text: str) -> None:
    assert PETS.find(text) == 1


def test_names_go_before_indices() -> None:
    """The class called 3 has the index 2; the class of index 3 is still found by its name, as index 4 is by its own."""
    assert PETS.find("3") == 2
    assert PETS.find("wheaten terrier") == 3
    assert PETS.find("4") == 4


@pytest.mark.parametrize("text", ["5", "999999", "0000005"])
def test_an_index_past_the_last(text: str) -> None:
    with pytest.raises(UnknownClass, match="0 to 4" if len(text) < 7 else "no class is called"):
        PETS.find(text)


@pytest.mark.parametrize("text", ["-1", "1.0", "٣", "", " ", "1e0", "²"])
def test_what_is_neither_name_nor_index(text: str) -> None:
    with pytest.raises(UnknownClass, match="no class is called"):
        PETS.find(text)


@pytest.mark.parametrize(
    ("index", "there"), [(0, True), (4, True), (5, False), (-1, False), (-5, False), (10**30, False)]
)
def test_an_index_is_that_of_a_class(index: int, there: bool) -> None:
    """From 0 to the last; Python's way to count from the end is none here, nor is a class called 3 meant by 3."""
    if there:
        assert PETS.by_index(index) == index
    else:
        with pytest.raises(UnknownClass, match=rf"there is no class {index}: the indices are 0 to 4"):
            PETS.by_index(index)
    assert PETS.by_index(3) == 3 != PETS.find("3")


def test_a_name_alone_is_no_index() -> None:
    """The class called 3 is found; 1 and 4, which call none, are not. Synonyms and likeness count as in `find`."""
    assert (PETS.by_name("3"), PETS.by_name("SIAMESE"), IMAGENET.by_name("tabby cat")) == (2, 0, 281)
    for text in ("1", "4", "Siamesse"):
        with pytest.raises(UnknownClass, match="no class is called"):
            PETS.by_name(text)
    with pytest.raises(UnknownClass, match="names 2 classes"):
        ClassNames(["cat", "dog", "cat"]).by_name("cat")


def test_near_names_are_suggested() -> None:
    with pytest.raises(UnknownClass, match="near are: siamese"):
        PETS.find("siamesse")
    with pytest.raises(UnknownClass, match="near are: Siamese, american_bulldog"):
        PETS.find("xyzzy")


def test_a_message_stays_short() -> None:
    with pytest.raises(UnknownClass) as caught:
        PETS.find("x" * 100_000)
    assert len(str(caught.value)) < 500


def test_every_imagenet_class_has_its_synonyms_line() -> None:
    assert len(imagenet_synonyms()) == 1000
    assert all(names and all(name.strip() == name != "" for name in names) for names in imagenet_synonyms())


def test_every_imagenet_class_is_found_by_its_index() -> None:
    assert [IMAGENET.find(str(index)) for index in range(1000)] == list(range(1000))


def test_every_imagenet_class_is_found_by_its_own_name() -> None:
    """What /classify says can be asked for: all 1000 labels, letter by letter."""
    assert [IMAGENET.find(name) for name in IMAGENET.classes] == list(range(1000))


@pytest.mark.parametrize(
    ("text", "index"),
    [
        ("man-eating shark", 2),
        ("Carcharodon carcharias", 2),
        ("Felis tigris", None),
        ("Panthera tigris", 292),
        ("tabby cat", 281),
        ("golden_retriever", 207),
        ("zebra", 340),
    ],
)
def test_imagenet_synonyms(text: str, index: int | None) -> None:
    if index is None:
        with pytest.raises(UnknownClass):
            IMAGENET.find(text)
    else:
        assert IMAGENET.find(text) == index


def test_a_classes_own_name_wins_over_anothers_synonym() -> None:
    """WordNet calls several dogs by what is another class's own name; own names always come first."""
    own = {normal_form(name): index for index, name in enumerate(IMAGENET.classes)}
    clashes = [
        (name, index)
        for index, names in enumerate(imagenet_synonyms())
        for name in map(normal_form, names)
        if name in own and own[name] != index and name != "cardigan"
    ]
    assert clashes
    for name, _ in clashes:
        assert IMAGENET.find(name.upper()) == own[name]


def test_a_thousand_other_classes_have_no_synonyms() -> None:
    """Only torchvision's ImageNet starts with the tench."""
    others = ClassNames([f"plant {number}" for number in range(1000)])
    with pytest.raises(UnknownClass):
        others.find("man-eating shark")


def test_a_name_letter_by_letter_goes_before_its_likeness() -> None:
    """The dog is a Cardigan and the garment a cardigan, so what /classify says can be asked for."""
    assert (IMAGENET.find("Cardigan"), IMAGENET.find("cardigan")) == (264, 474)
    with pytest.raises(UnknownClass, match=r"\[264, 474\]"):
        IMAGENET.find("CARDIGAN")


def test_two_classes_of_one_name() -> None:
    with pytest.raises(UnknownClass, match=r"names 2 classes: give the index, one of \[0, 2\]"):
        ClassNames(["cat", "dog", "cat"]).find("cat")


@given(st.lists(st.text(min_size=1), min_size=2, unique_by=normal_form))
def test_every_class_is_found_by_its_own_name(names: list[str]) -> None:
    """Whatever script or punctuation: each name finds its own index."""
    found = ClassNames(names)
    assert [found.find(name) for name in names] == list(range(len(names)))


@given(st.text())
def test_any_text_finds_a_class_or_is_unknown(text: str) -> None:
    try:
        assert 0 <= IMAGENET.find(text) < 1000
    except UnknownClass as error:
        assert len(str(error)) < 600


def test_a_name_is_found_in_either_spelling_of_its_letters() -> None:
    """macOS writes an umlaut as two characters: as a class's name, or in a request for it."""
    composed, decomposed = (unicodedata.normalize(form, "Käse") for form in ("NFC", "NFD"))
    assert ClassNames(("Brot", composed)).find(decomposed) == 1
    assert ClassNames(("Brot", decomposed)).find(composed) == 1

"""Tests which class is meant by a text: a name, a synonym, a WordNet ID or an index."""

import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from torchvision.models import MobileNet_V2_Weights

from models.classes import ClassNames, UnknownClass, imagenet_synonyms, imagenet_wordnet_ids, normal_form

PETS = ClassNames(["Siamese", "american_bulldog", "3", "wheaten terrier", "Bengal"])
IMAGENET = ClassNames(MobileNet_V2_Weights.DEFAULT.meta["categories"])


@pytest.mark.parametrize(
    "text",
    ["american_bulldog", "American Bulldog", "AMERICAN-BULLDOG", "  american   bulldog ", "american_-_bulldog", "1"],
)
def test_case_underscores_hyphens_and_spaces_do_not_matter(text: str) -> None:
    assert PETS.find(text) == 1


def test_a_name_takes_precedence_over_an_index() -> None:
    """The class called "3" has index 2, so "3" means it; index 3 is found by its name, and "4" is an index."""
    assert PETS.find("3") == 2
    assert PETS.find("wheaten terrier") == 3
    assert PETS.find("4") == 4


@pytest.mark.parametrize("text", ["5", "999999", "0000005"])
def test_an_index_past_the_last_class_is_refused(text: str) -> None:
    with pytest.raises(UnknownClass, match="0 to 4" if len(text) < 7 else "no class is called"):
        PETS.find(text)


@pytest.mark.parametrize("text", ["-1", "1.0", "٣", "", " ", "1e0", "²"])
def test_a_text_that_is_neither_name_nor_index_is_refused(text: str) -> None:
    with pytest.raises(UnknownClass, match="no class is called"):
        PETS.find(text)


@pytest.mark.parametrize(
    ("index", "valid"), [(0, True), (4, True), (5, False), (-1, False), (-5, False), (10**30, False)]
)
def test_by_index_takes_only_indices_of_classes(index: int, valid: bool) -> None:
    """Indices from 0 to the last are valid, negative ones are not; 3 means index 3, never the class called "3"."""
    if valid:
        assert PETS.by_index(index) == index
    else:
        with pytest.raises(UnknownClass, match=rf"there is no class {index}: the indices are 0 to 4"):
            PETS.by_index(index)
    assert PETS.by_index(3) == 3 != PETS.find("3")


def test_by_name_does_not_take_indices() -> None:
    """The class called "3" is found; "1" and "4" are no names. Synonyms and normalised spelling count as in `find`."""
    assert (PETS.by_name("3"), PETS.by_name("SIAMESE"), IMAGENET.by_name("tabby cat")) == (2, 0, 281)
    for text in ("1", "4", "Siamesse"):
        with pytest.raises(UnknownClass, match="no class is called"):
            PETS.by_name(text)
    with pytest.raises(UnknownClass, match="names 2 classes"):
        ClassNames(["cat", "dog", "cat"]).by_name("cat")


def test_similar_names_are_suggested() -> None:
    with pytest.raises(UnknownClass, match="similar names: siamese"):
        PETS.find("siamesse")
    with pytest.raises(UnknownClass, match="similar names: Siamese, american_bulldog"):
        PETS.find("xyzzy")


def test_the_message_for_a_very_long_name_is_short() -> None:
    with pytest.raises(UnknownClass) as caught:
        PETS.find("x" * 100_000)
    assert len(str(caught.value)) < 500


def test_every_imagenet_class_has_its_synonyms_line() -> None:
    assert len(imagenet_synonyms()) == 1000
    assert all(names and all(name.strip() == name != "" for name in names) for names in imagenet_synonyms())


def test_every_imagenet_class_is_found_by_its_index() -> None:
    assert [IMAGENET.find(str(index)) for index in range(1000)] == list(range(1000))


def test_every_imagenet_class_is_found_by_its_own_name() -> None:
    """All 1000 labels that /classify returns can be used as a target class."""
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


def test_synonyms_are_the_other_names_of_each_class() -> None:
    """Each is found, and means its class; neither a class's own name nor that of another class is among them."""
    synonyms = IMAGENET.synonyms
    assert len(synonyms) == 1000
    assert synonyms[2] == ("white shark", "man-eater", "man-eating shark", "Carcharodon carcharias")
    assert synonyms[292] == ("Panthera tigris",)
    for index, (name, others) in enumerate(zip(IMAGENET.classes, synonyms, strict=True)):
        assert [IMAGENET.find(other) for other in others] == [index] * len(others)
        forms = [normal_form(other) for other in (name, *others)]
        assert len(set(forms)) == len(forms)
    assert sum(map(len, synonyms)) == 829, "of the 1860 names of WordNet"


def test_classes_other_than_imagenets_have_no_synonyms() -> None:
    assert PETS.synonyms == ClassNames([f"plant {number}" for number in range(1000)]).synonyms == ()


def test_the_name_of_a_class_takes_precedence_over_a_synonym_of_another() -> None:
    """Some synonyms in WordNet are the name of another class; such a text means the class of that name."""
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


def test_a_thousand_classes_other_than_imagenets_have_no_synonyms() -> None:
    """Synonyms belong to the ImageNet classes alone, not to any model of 1000 classes."""
    others = ClassNames([f"plant {number}" for number in range(1000)])
    with pytest.raises(UnknownClass):
        others.find("man-eating shark")


def test_an_exact_name_takes_precedence_over_a_normalised_one() -> None:
    """The dog is called "Cardigan" and the garment "cardigan"; in capitals the name is ambiguous and refused."""
    assert (IMAGENET.find("Cardigan"), IMAGENET.find("cardigan")) == (264, 474)
    with pytest.raises(UnknownClass, match=r"\[264, 474\]"):
        IMAGENET.find("CARDIGAN")


def test_imagenet_classes_are_found_by_their_wordnet_ids() -> None:
    """The IDs in their order are the indices; those of tench, toilet tissue and some others are known by heart."""
    ids = imagenet_wordnet_ids()
    assert len(ids) == 1000 and list(ids) == sorted(ids)
    assert [IMAGENET.find(text) for text in ids] == list(range(1000))
    known = {"n01440764": "tench", "n02123045": "tabby", "n02099601": "golden retriever", "n15075141": "toilet tissue"}
    assert {text: IMAGENET.classes[IMAGENET.find(text.upper())] for text in known} == known


def test_wordnet_ids_are_not_among_the_synonyms_or_suggestions() -> None:
    assert not any(re.fullmatch("n[0-9]{8}", name) for names in IMAGENET.synonyms for name in names)
    with pytest.raises(UnknownClass, match=r"no class is called 'n01440765'; similar names: [^0-9]*$"):
        IMAGENET.find("n01440765")


def test_wordnet_ids_in_a_model_of_some_imagenet_classes_mean_its_names() -> None:
    """Imagenette has ten of the classes; a network of TensorFlow has them in another order, after a background class.

    `cock` is a name of n01514668; no class has one of the names of n01443537, the goldfish; two have one of n02124075.
    """
    some = ClassNames(("background", "English springer", "cock", "tench, Tinca tinca", "cock's egg"))
    assert [some.find(text) for text in ("n02102040", "n01514668", "n01440764")] == [1, 2, 3]
    with pytest.raises(UnknownClass, match="no class is called 'n01443537'"):
        some.find("n01443537")
    with pytest.raises(UnknownClass, match=r"names 2 classes: give the index, one of \[0, 1\]"):
        ClassNames(("Egyptian cat", "egyptian_cat")).find("n02124075")


def test_a_class_called_as_a_wordnet_id_is_found_by_its_name() -> None:
    """Whoever trains on ImageNet's folders has such names; they may be fewer, and in any order."""
    names = ClassNames(("n02102040", "tench", "n01440764"))
    assert (names.find("n01440764"), names.find("n02102040"), names.find("tench")) == (2, 0, 1)


def test_imagenet_classes_with_all_names_of_wordnet_are_recognised() -> None:
    """The Hub's networks call class 0 "tench, Tinca tinca"."""
    names = ClassNames([", ".join(synonyms) for synonyms in imagenet_synonyms()])
    assert [names.find(text) for text in ("tench", "Tinca tinca", "tench, Tinca tinca", "n01440764", "0")] == [0] * 5
    assert names.find("n02124075") == names.find("Egyptian cat") == 285


def test_a_name_of_two_classes_is_refused() -> None:
    with pytest.raises(UnknownClass, match=r"names 2 classes: give the index, one of \[0, 2\]"):
        ClassNames(["cat", "dog", "cat"]).find("cat")


@given(st.lists(st.text(min_size=1), min_size=2, unique_by=normal_form))
def test_every_class_is_found_by_its_own_name(names: list[str]) -> None:
    """In any script and with any punctuation, every name gives the index of its class."""
    class_names = ClassNames(names)
    assert [class_names.find(name) for name in names] == list(range(len(names)))


@given(st.text())
def test_any_text_finds_a_class_or_is_unknown(text: str) -> None:
    try:
        assert 0 <= IMAGENET.find(text) < 1000
    except UnknownClass as error:
        assert len(str(error)) < 600


def test_composed_and_decomposed_unicode_mean_the_same_class() -> None:
    """macOS writes an umlaut as two characters, in file names (and so class names) or in a request."""
    composed, decomposed = (unicodedata.normalize(form, "Käse") for form in ("NFC", "NFD"))
    assert ClassNames(("Brot", composed)).find(decomposed) == 1
    assert ClassNames(("Brot", decomposed)).find(composed) == 1

"""The names of the classes: how they are given, where they come from otherwise, and what is said about it."""

import json
from pathlib import Path
from typing import Any

import pytest

from training.importing.class_names import Classes, choose_names, given_names
from training.importing.model import BadSource


def test_names_are_a_list_with_commas() -> None:
    """Spaces around a name do not count, and a comma after a single name makes it a list."""
    assert given_names("cat, dog ,tree frog") == ("cat", "dog", "tree frog")
    assert given_names("cat,") == ("cat",)


def test_a_long_list_is_no_name_of_a_file() -> None:
    """Names of files have at most 255 bytes, and asking for a longer one is an error of the system."""
    names = tuple(f"class number {number}" for number in range(1000))
    assert given_names(",".join(names)) == names


@pytest.mark.parametrize(
    "content",
    [
        b"cat\ndog\ntree frog\n",
        b"cat\ndog\ntree frog",
        b"cat\r\ndog\r\ntree frog\r\n\r\n",
        b"\xef\xbb\xbfcat\ndog\ntree frog\n\n\n",
        b"  cat \n\tdog\ntree frog\n   \n",
    ],
    ids=["lines", "no last line break", "Windows", "byte order mark", "spaces"],
)
def test_a_text_file_has_one_name_per_line(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "names.txt").write_bytes(content)
    assert given_names(str(tmp_path / "names.txt")) == ("cat", "dog", "tree frog")


@pytest.mark.parametrize(
    "content",
    [["cat", "dog"], {"0": "cat", "1": "dog"}, {"1": "dog", "0": "cat"}, {"dog": 1, "cat": 0}],
    ids=["list", "by index", "another order", "by name"],
)
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"], ids=["plain", "byte order mark"])
def test_a_json_file_is_a_list_or_a_mapping(tmp_path: Path, content: Any, mark: bytes) -> None:
    for name in ("names.json", "NAMES.JSON"):
        (tmp_path / name).write_bytes(mark + json.dumps(content).encode())
        assert given_names(str(tmp_path / name)) == ("cat", "dog")


def test_letters_of_all_scripts_are_kept(tmp_path: Path) -> None:
    (tmp_path / "names.txt").write_text("猫\nκύων\nقط\n👩‍🔬\n", encoding="utf-8")
    assert given_names(str(tmp_path / "names.txt")) == ("猫", "κύων", "قط", "👩‍🔬")


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("names.json", b'{"0": "cat", "2": "dog"}', "has no names of classes"),
        ("names.json", b'{"cat": "feline"}', "has no names of classes"),
        ("names.json", b'["cat", 5]', "has no names of classes"),
        ("names.json", b'"cat"', "has no names of classes"),
        ("names.json", b"[]", "has no names of classes"),
        ("names.json", b'["cat"', "is no text in UTF-8, or no JSON"),
        ("names.json", b"[" * 100_000, "is no text in UTF-8, or no JSON"),
        ("names.json", b'["cat", " "]', "the name of class 2 in"),
        ("names.txt", b"", "is empty"),
        ("names.txt", b"\n\n", "is empty"),
        ("names.txt", b"cat\n\ndog\n", "the name of class 2 in"),
        ("names.txt", b"cat\n\xff\xfe\n", "is no text in UTF-8"),
        ("names.txt", b"cat\n" + b"x" * 501, "has a name with 501 characters"),
    ],
)
def test_files_without_names_are_refused(tmp_path: Path, name: str, content: bytes, reason: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(BadSource) as refused:
        given_names(str(tmp_path / name))
    assert reason in str(refused.value)


@pytest.mark.parametrize("text", ["missing.txt", "cat", "", "x" * 5000])
def test_one_word_is_a_file_that_must_exist(text: str) -> None:
    with pytest.raises(BadSource, match="takes a file or names with commas between them") as refused:
        given_names(text)
    assert len(str(refused.value)) < 500


def test_an_empty_name_in_a_list_is_refused() -> None:
    with pytest.raises(BadSource, match="the name of class 2 in --classes is empty"):
        given_names("cat,,dog")


@pytest.mark.parametrize(
    ("hostile", "plain"),
    [
        ("\x1b[31mred\x1b[0m", "[31mred [0m"),
        ("\x1b]0;title\x07cat", "]0;title cat"),
        ("cat\r\n\n# heading", "cat # heading"),
        ("cat\x00\x9b", "cat"),
        ("cat\u202egod", "cat god"),
        ("half \ud83d of a sign", "half   of a sign"),
        ("two\u2028lines", "two lines"),
        ("<script>alert(1)</script>", "<script>alert(1)</script>"),
        ("[bold]cat[/bold]", "[bold]cat[/bold]"),
        ("../../etc/passwd", "../../etc/passwd"),
    ],
)
def test_names_do_not_control_a_terminal_or_end_a_line(hostile: str, plain: str) -> None:
    """Whether they are given or in the file. Letters of markup stay: what shows them has to write them as text."""
    assert choose_names(2, given=(hostile, "dog"), own=None).names == (plain, "dog")
    assert choose_names(2, given=None, own=(hostile, "dog")).names == (plain, "dog")


@pytest.mark.parametrize("name", ["", " ", "\x1b", "x" * 501])
def test_names_in_a_file_that_cannot_be_shown_are_refused(name: str) -> None:
    """With the way out: names that are given take their place."""
    with pytest.raises(BadSource, match="--classes"):
        choose_names(2, given=None, own=("cat", name))
    assert choose_names(2, given=("cat", "dog"), own=("cat", name)).names == ("cat", "dog")


def test_given_names_take_precedence() -> None:
    assert choose_names(2, given=("a", "b"), own=("c", "d")) == Classes(("a", "b"))
    assert choose_names(2, given=None, own=("c", "d")) == Classes(("c", "d"))


@pytest.mark.parametrize("given", [("a", "b", "c"), ("a",), ("a", "b", "c", "d", "e", "f")])
def test_as_many_names_as_outputs(given: tuple[str, ...]) -> None:
    with pytest.raises(
        BadSource, match=rf"--classes has {len(given)} names, and the network has 5 outputs: give one name"
    ):
        choose_names(5, given=given, own=None)


def test_one_name_less_than_outputs_is_a_background_class() -> None:
    """If the user says so, or as in TensorFlow's networks of 1001 outputs; a warning says so.

    Otherwise a name may be missing, and all after it would be wrong.
    """
    chosen = choose_names(4, given=("a", "b", "c"), own=None, background=True)
    assert chosen.names == ("a", "b", "c") and chosen.background
    assert chosen.warnings == (
        "the network has 4 outputs and --classes 3 names: the first output is taken to be a background class, and is "
        "left out",
    )
    assert choose_names(4, given=None, own=("a", "b", "c"), background=True).background
    assert choose_names(1001, given=tuple(map(str, range(1000))), own=None).background
    for names, outputs in ((tuple("012"), 4), (tuple(map(str, range(999))), 1000)):
        chosen = choose_names(outputs, given=None, own=None, background=True)
        assert chosen.names == names and chosen.background
        assert chosen.warnings[0].startswith("the file has no names of classes, so the classes but the background are")
    for given, own in ((tuple("abcd"), None), (None, tuple("abcd"))):
        with pytest.raises(BadSource, match="each of the 4 outputs, so none is a background class: leave out --backg"):
            choose_names(4, given=given, own=own, background=True)
    with pytest.raises(BadSource, match="give one name for each, or --background if the first one is a background cla"):
        choose_names(4, given=("a", "b", "c"), own=None)
    chosen = choose_names(4, given=None, own=("a", "b", "c"))
    assert chosen.names == tuple("0123") and not chosen.background
    assert "3 names of classes, and the network 4 outputs" in chosen.warnings[0]
    with pytest.raises(BadSource, match="has 1 names"):
        choose_names(2, given=("a",), own=None)


def test_names_in_the_file_that_do_not_fit_are_left() -> None:
    """A script may store the names of other data; the classes are numbered then, with a warning."""
    chosen = choose_names(3, given=None, own=("a", "b", "c", "d", "e"))
    assert chosen.names == ("0", "1", "2") and not chosen.background
    (warning,) = chosen.warnings
    assert warning.startswith("the file has 5 names of classes, and the network 3 outputs, so they are not used and")
    assert "called by their numbers: give --classes FILE, or names with commas" in warning


@pytest.mark.parametrize(("outputs", "background"), [(1000, False), (1001, True)])
def test_a_thousand_outputs_are_imagenet(outputs: int, background: bool) -> None:
    """In torchvision's order, whose first class is the tench and whose last the toilet tissue; a warning says so."""
    chosen = choose_names(outputs, given=None, own=None)
    names, (warning,) = chosen.names, chosen.warnings
    assert (len(names), names[0], names[-1], chosen.background) == (1000, "tench", "toilet tissue", background)
    assert "ImageNet-1k in their usual order" in warning and ("background" in warning) == background


def test_one_output_is_one_label() -> None:
    """It is the logit of a sigmoid: there is no second class to compare it with."""
    chosen = choose_names(1, given=("hot dog",), own=None)
    assert chosen.fields == {"classes": ("hot dog",), "background": False, "binary": False, "multi_label": True}
    assert "one output, which is taken to be that of one label" in chosen.warnings[0]
    chosen = choose_names(1, given=None, own=None)
    assert chosen.names == ("0",) and len(chosen.warnings) == 2
    with pytest.raises(BadSource, match="--classes has 3 names, and the network has one output"):
        choose_names(1, given=("hot dog", "pizza", "salad"), own=None)


def test_one_output_and_two_names_are_a_binary_network() -> None:
    """Trained with 0 and 1, the indices of the classes: the output is the logit of the second one, which is said."""
    for given, own in ((("cat", "dog"), None), (None, ("cat", "dog"))):
        chosen = choose_names(1, given=given, own=own)
        assert chosen.fields == {
            "classes": ("cat", "dog"), "background": False, "binary": True, "multi_label": False
        }  # fmt: skip
        assert "taken to be that of the second class, 'dog'; the rest is 'cat'" in chosen.warnings[0]

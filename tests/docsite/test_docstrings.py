"""Docstrings and signatures as Sphinx reads them."""

from dataclasses import dataclass

import pytest

from docsite.docstrings import bare_constants, imported_names, is_missing, to_rst, written_signature


def test_code_stays_and_marks_of_restructuredtext_are_none() -> None:
    assert to_rst(["Raise `x_*` to ** 2 of name_", "in [n, 3]."]) == [
        r"Raise ``x_*`` to \*\* 2 of name\_",
        "in [n, 3].",
    ]


@pytest.mark.parametrize(
    ("what", "lines", "missing"),
    [("function", [], True), ("data", [" "], True), ("function", ["Text."], False), ("attribute", [], False)],
)
def test_which_names_need_a_docstring(what: str, lines: list[str], missing: bool) -> None:
    """The fields of a class are described by the docstring of the class."""
    assert is_missing(what, lines) == missing


def test_imports_are_no_names_of_a_module_unless_it_lists_its_names() -> None:
    assert imported_names("import os\nfrom a import b as c\nx = 1") == {"os", "c"}
    assert imported_names("from a import b\n__all__ = ['b']") == set()


def test_constants_without_a_text_below_them_are_found() -> None:
    """A text may follow several names; private names and type variables need none."""
    source = 'A = 1\n"""One."""\nB, C = 2, 3\n"""Two."""\nD: int = 4\n_E = 5\nF = TypeVar("F")\nG = H = 6\n'
    assert bare_constants(source) == ["D", "G", "H"]


class Machine:
    """A class with methods."""

    def __init__(self, speed: "Speed" = 8 / 255) -> None:  # type: ignore[name-defined]
        """Set the speed."""

    def run(self, *, steps: int = 3) -> "Result":  # type: ignore[name-defined]
        """Run."""


@dataclass
class Point:
    """A class whose `__init__` is generated."""

    x: float


def test_signatures_are_those_of_the_source() -> None:
    """Names of types and fractions remain as they were written."""
    assert written_signature("method", Machine.run) == ("(*, steps: int=3)", "'Result'")
    assert written_signature("class", Machine) == ("(speed: 'Speed'=8 / 255)", None)


def test_a_class_without_a_constructor_of_its_own_shows_none() -> None:
    assert written_signature("class", Point) == ("", None)
    assert written_signature("class", type("Empty", (), {})) == ("", None)


def test_what_has_no_source_keeps_the_signature_of_sphinx() -> None:
    assert written_signature("function", len) is None
    assert written_signature("exception", ValueError) is None

"""Docstrings and signatures as Sphinx reads them, from docstrings in plain text and from the source of functions."""

import ast
import inspect
import re
import textwrap
from itertools import pairwise
from typing import Any, is_typeddict

MUST_HAVE = {"module", "class", "exception", "function", "method", "property", "data"}
"""Kinds of names, as autodoc calls them, that need a docstring; the docstring of a class describes its fields."""


def to_rst(lines: list[str]) -> list[str]:
    """A docstring in plain text, in which `code` stands in single backticks, as reStructuredText."""
    parts = re.split(r"(`[^`]+`)", "\n".join(lines))
    text = "".join(f"`{part}`" if part.startswith("`") else re.sub(r"([\\*|_])", r"\\\1", part) for part in parts)
    return text.split("\n")


def imported_names(source: str) -> set[str]:
    """The names that a module imports, and that it therefore does not describe; none if it has `__all__`."""
    statements = list(ast.walk(ast.parse(source)))
    names = {
        target.id
        for each in statements
        if isinstance(each, ast.Assign)
        for target in each.targets
        if isinstance(target, ast.Name)
    }
    imports = [each for each in statements if isinstance(each, ast.Import | ast.ImportFrom)]
    return set() if "__all__" in names else {alias.asname or alias.name for each in imports for alias in each.names}


def bare_constants(source: str) -> list[str]:
    """The public constants of a module, and its types, that have no text below them.

    autodoc leaves them out without a word. A TypeVar needs no text.
    """
    body = ast.parse(source).body
    bare: list[str] = []
    for statement, following in pairwise([*body, ast.Pass()]):
        if isinstance(statement, ast.Assign | ast.AnnAssign) and not _is_text(following):
            targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
            names = [target.id for each in targets for target in ast.walk(each) if isinstance(target, ast.Name)]
            is_variable = statement.value is not None and ast.unparse(statement.value).startswith("TypeVar(")
            bare += [name for name in names if not name.startswith("_") and not is_variable]
    return bare


def _is_text(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Expr) and isinstance(getattr(statement.value, "value", None), str)


def is_missing(what: str, lines: list[str]) -> bool:
    """Whether a name of this kind has no docstring, and needs one."""
    return what in MUST_HAVE and not any(line.strip() for line in lines)


def written_signature(what: str, value: Any) -> tuple[str, str | None] | None:
    """Arguments and result as the source has them: `(pictures: Pictures, *, epsilon: Epsilon = 8 / 255)`, `Task[None]`.

    At run time the names of types are replaced by what they stand for, which is long and says less. A class without an
    `__init__` of its own has no arguments: its fields are described one by one. None if there is no source.
    """
    if what == "exception" or is_typeddict(value):  # Sphinx has no signature of these that could be replaced
        return None
    if what == "class":
        value = vars(value).get("__init__")
        if value is None or not inspect.isfunction(value) or value.__qualname__.startswith("__create_fn__"):
            return "", None
    try:
        source = textwrap.dedent(inspect.getsource(inspect.unwrap(value)))
        (function,) = ast.parse(source).body
    except (OSError, TypeError, SyntaxError, ValueError):
        return ("", None) if what == "class" else None
    if not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
        return None
    arguments = function.args
    if arguments.args and arguments.args[0].arg in ("self", "cls"):
        arguments.args = arguments.args[1:]
    result = ast.unparse(function.returns) if function.returns is not None and what != "class" else None
    return f"({ast.unparse(arguments)})", result

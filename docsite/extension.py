"""The Sphinx extension of the site: generated parts of pages, diagrams, docstrings, and which names must be known.

A comment in a page is replaced by what it asks for, so that the page remains readable where no site is built:
`<!-- operation: POST /classify -->`, `<!-- objects -->`, `<!-- command line: python -m training -->`.
"""

import inspect
import re
import sys
from typing import Any, TypeVar

from docutils import nodes
from docutils.nodes import Element
from sphinx.application import Sphinx
from sphinx.errors import ExtensionError
from sphinx.util import logging

from docsite import diagrams, docstrings, openapi
from docsite.command_lines import command_line

PACKAGES = ("app", "docsite", "mirage", "models", "training")
"""Packages of this repository: a name in them that no page describes is an error, that of another library is none."""
COMMENT = re.compile(r"^<!-- (operation|objects|command line)(?:: (.*?))? -->$", re.MULTILINE)
LOG = logging.getLogger(__name__)


def generated(what: str, name: str) -> str:
    """The Markdown that stands in the place of a comment."""
    match what:
        case "operation":
            return openapi.operation(name, openapi.document())
        case "objects":
            return openapi.objects(openapi.document())
        case _:
            return command_line(name)


def replace_comments(app: Sphinx, page: str, content: list[str]) -> None:
    """Put generated parts in the place of the comments of a page."""
    try:
        content[0] = COMMENT.sub(lambda match: generated(match[1], match[2] or ""), content[0])
    except LookupError as error:
        raise ExtensionError(f"{page}: {error.args[0]}") from error


def number_decision(app: Sphinx, page: str, content: list[str]) -> None:
    """Begin the title of a decision with its number, by which other pages call it."""
    if match := re.fullmatch(r"docs/decisions/0*(\d+)-.*", page):
        content[0] = re.sub(r"^# ", f"# {match[1]}. ", content[0], count=1)


def show_diagrams(app: Sphinx, page: str, content: list[str]) -> None:
    """Put the SVG file that was drawn from a diagram in its place."""

    def picture(match: re.Match[str]) -> str:
        if not diagrams.is_current(match[1]):
            raise ValueError(f"{diagrams.file_of(match[1]).name} was drawn from another text: {diagrams.DRAW}")
        file = diagrams.file_of(match[1]).relative_to(diagrams.REPOSITORY)
        return f"![{diagrams.name_of(match[1])}](/{file}){{.diagram}}"

    try:
        content[0] = diagrams.FENCE.sub(picture, content[0])
    except ValueError as error:
        raise ExtensionError(f"{page}: {error}") from error


def read_docstring(app: Sphinx, what: str, name: str, value: Any, options: Any, lines: list[str]) -> None:
    """Turn a docstring into reStructuredText in place; a missing one is a warning, which ends a strict build."""
    if what == "module":
        for constant in docstrings.bare_constants(inspect.getsource(value)):
            LOG.warning("%s.%s has no docstring", name, constant, type="docsite", subtype="docstring")
    if docstrings.is_missing(what, lines):
        LOG.warning("%s has no docstring", name, type="docsite", subtype="docstring")
    lines[:] = docstrings.to_rst(lines)


def skip_imported(app: Sphinx, what: str, name: str, value: Any, skip: bool, options: Any) -> bool | None:
    """Leave out what a module only imports."""
    module = sys.modules.get(app.env.current_document.autodoc_module)
    if what != "module" or module is None or skip:
        return None
    return True if name in docstrings.imported_names(inspect.getsource(module)) else None


def write_signature(
    app: Sphinx, what: str, name: str, value: Any, options: Any, arguments: str | None, result: str | None
) -> tuple[str, str | None] | None:
    """Show a signature as the source has it."""
    return docstrings.written_signature(what, value) if what in ("function", "method", "class", "exception") else None


def find_name(app: Sphinx, env: Any, node: Element, content: Element) -> Element | None:
    """Link a name that is described under another module; leave the names of other libraries without a link."""
    if node.get("refdomain") != "py":
        return None
    target = str(node["reftarget"])
    known = env.domains["py"].objects
    matches = [name for name in known if name.rpartition(".")[2] == target.rpartition(".")[2]]
    if len(matches) == 1:
        entry = known[matches[0]]
        uri = app.builder.get_relative_uri(str(node.get("refdoc", "")), entry.docname)
        return nodes.reference("", "", content, internal=True, refuri=f"{uri}#{entry.node_id}")
    module, _, name = target.rpartition(".")
    is_own = module.partition(".")[0] in PACKAGES
    return content if not is_own or isinstance(getattr(sys.modules.get(module), name, None), TypeVar) else None


def setup(app: Sphinx) -> dict[str, bool]:
    """Called by Sphinx."""
    app.connect("source-read", replace_comments)
    app.connect("source-read", number_decision)
    app.connect("source-read", show_diagrams)
    app.connect("autodoc-process-docstring", read_docstring)
    app.connect("autodoc-skip-member", skip_imported)
    app.connect("autodoc-process-signature", write_signature)
    app.connect("missing-reference", find_name)
    return {"parallel_read_safe": True, "parallel_write_safe": True}

"""The documentation site builds without a warning, loads nothing from elsewhere, and has all that it should have."""

import re
from collections.abc import Iterator
from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from types import ModuleType
from urllib.parse import unquote, urlsplit

import pytest
import typer

import models.attacks
import models.ideal
from app.settings import Settings
from docsite.command_lines import COMMAND_LINES
from docsite.openapi import document
from docsite.schemas import referenced
from tests.integration.project import REPOSITORY
from tests.integration.site import Build, build, build_pages

pytest.importorskip("sphinx", reason="needs the packages of the site: make docs installs them")
pytest.importorskip("myst_nb", reason="needs the packages of the site: make docs installs them")

LOADED = {
    "script": "src",
    "img": "src",
    "iframe": "src",
    "source": "src",
    "video": "src",
    "audio": "src",
    "link": "href",
}
"""Elements by which a page loads something, and the attribute with the address."""


class Page(HTMLParser):
    """What a page loads, where it leads to, and the anchors that it has."""

    def __init__(self, file: Path) -> None:
        super().__init__()
        self.file = file
        self.loads: list[str] = []
        self.links: list[str] = []
        self.anchors: set[str] = set()
        self.feed(file.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        self.anchors |= {values["id"]} if "id" in values else set()
        if tag in LOADED and not values.get(LOADED[tag], "#").startswith("#"):
            self.loads.append(values[LOADED[tag]])
        if tag == "a" and "href" in values:
            self.links.append(values["href"])


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Build:
    """The site of the repository."""
    return build(REPOSITORY, tmp_path_factory.mktemp("site") / "site")


@pytest.fixture(scope="module")
def pages(built: Build) -> dict[Path, Page]:
    """All pages of the site."""
    return {file: Page(file) for file in sorted(built.site.rglob("*.html"))}


def text_of(built: Build, name: str) -> str:
    """The text of a page, or of all pages of a folder, without its marks."""
    place = built.site / "docs" / "reference" / name
    files = [place] if place.is_file() else sorted(place.glob("*.html"))
    return "".join(unescape(re.sub(r"<[^>]+>", "", file.read_text(encoding="utf-8"))) for file in files)


def names_of_http() -> Iterator[str]:
    """All operations, parameters, fields and parts of responses of the OpenAPI document."""
    for path, operations in document()["paths"].items():
        for method, entry in operations.items():
            yield f"{method.upper()} {path}"
            yield from (each["name"] for each in entry.get("parameters", []))
            yield from referenced(entry)
    for schema in document()["components"]["schemas"].values():
        yield from schema.get("properties", {})


@pytest.mark.slow
def test_the_site_builds_without_a_warning(built: Build) -> None:
    assert built.succeeded, built.messages
    assert 'url=docs/index.html"' in (built.site / "index.html").read_text(encoding="utf-8")


@pytest.mark.slow
def test_no_page_loads_anything_from_elsewhere(pages: dict[Path, Page]) -> None:
    """Neither do style sheets; what is loaded exists, so the site works from a disk without internet."""
    assert len(pages) > 80
    for file, page in pages.items():
        for address in page.loads:
            parts = urlsplit(address)
            assert (parts.scheme, parts.netloc) in (("", ""), ("data", "")), f"{file} loads {address}"
            assert parts.scheme == "data" or (file.parent / unquote(parts.path)).is_file(), f"{file} loads {address}"
    site = next(iter(pages)).parent
    for sheet in sorted(site.rglob("*.css")):
        for address in re.findall(r"(?:url\(|@import\s+)[\"']?([^\"')\s;]+)", sheet.read_text(encoding="utf-8")):
            assert not re.match(r"(?:[a-z]+:)?//", address), f"{sheet} loads {address}"


@pytest.mark.slow
def test_no_page_has_a_path_of_the_machine_that_built_it(pages: dict[Path, Page]) -> None:
    """Such as the value of a constant that is a path: `:no-value:` leaves it out."""
    assert [file for file in pages if str(REPOSITORY) in file.read_text(encoding="utf-8")] == []


@pytest.mark.slow
def test_every_link_inside_the_site_leads_somewhere(pages: dict[Path, Page]) -> None:
    """Files and anchors; what Sphinx has checked in the sources is checked in the pages."""
    known = {page.file.resolve(): page for page in pages.values()}
    for file, page in pages.items():
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = (file.parent / unquote(parts.path)).resolve() if parts.path else file.resolve()
            assert target.is_file(), f"{file} links to {link}"
            if parts.fragment and target in known:
                assert unquote(parts.fragment) in known[target].anchors, f"{file} links to {link}"


@pytest.mark.slow
def test_the_http_reference_has_every_operation_and_every_field(built: Build) -> None:
    text = text_of(built, "http")
    options = {name for name in document()["components"]["schemas"] if name.endswith("Options")}
    for name in set(names_of_http()) - options:
        assert re.search(rf"(?<!\w){re.escape(name)}(?!\w)", text), name


@pytest.mark.slow
def test_the_page_of_the_settings_has_every_setting(built: Build) -> None:
    text = text_of(built, "settings.html")
    for name in Settings.model_fields:
        assert f"MIRAGE_{name.upper()}\n" in text


@pytest.mark.slow
@pytest.mark.parametrize("name", COMMAND_LINES)
def test_the_reference_of_a_command_line_has_every_command(built: Build, name: str) -> None:
    text = text_of(built, "command-lines")
    module = __import__(COMMAND_LINES[name], fromlist=["app"])
    for command in typer.main.get_command(module.app).commands:
        assert f"{name} {command}" in text


@pytest.mark.slow
@pytest.mark.parametrize("package", [models.attacks, models.ideal], ids=lambda package: package.__name__)
def test_the_reference_of_a_package_has_every_name_that_it_exports(built: Build, package: ModuleType) -> None:
    """Their pages list the names in an order for readers; a table of attacks or methods has the name of its module."""
    page = built.site / "docs" / "reference" / "python" / f"{package.__name__.rpartition('.')[2]}.html"
    anchors = Page(page).anchors
    for name in package.__all__:
        assert anchors & {f"{package.__name__}.{name}", f"{package.__name__}.options.{name}"}, name


@pytest.mark.slow
def test_the_search_knows_the_words_of_the_pages(built: Build) -> None:
    """Sphinx's own index, which the browser reads from a file beside the pages."""
    index = (built.site / "searchindex.js").read_text(encoding="utf-8")
    assert index.startswith("Search.setIndex(") and '"lattic"' in index
    assert "docs/tutorial" in index and "README" in index


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[a page](nowhere.md)", "nowhere.md"),
        ("[a heading](#nowhere)", "nowhere"),
        ("[another heading](other.md#nowhere)", "nowhere"),
        ("![a picture](nowhere.png)", "nowhere.png"),
        ("<!-- operation: GET /nothing -->", "no operation 'GET /nothing'"),
    ],
    ids=["page", "anchor", "anchor of another page", "picture", "operation"],
)
def test_a_page_with_a_broken_link_fails(tmp_path: Path, text: str, message: str) -> None:
    pages = {"index.md": f"# Page\n\n{text}\n\n```{{toctree}}\nother\n```\n", "other.md": "# Other\n"}
    done = build_pages(tmp_path, pages)
    assert not done.succeeded
    assert message in done.messages


def test_a_page_that_is_in_no_list_fails(tmp_path: Path) -> None:
    done = build_pages(tmp_path, {"index.md": "# Page\n", "other.md": "# Other\n"})
    assert not done.succeeded
    assert "isn't included in any toctree" in done.messages


def test_a_small_site_builds(tmp_path: Path) -> None:
    """The other small sites fail for what is wrong with them, and for nothing else."""
    done = build_pages(tmp_path, {"index.md": "# Page\n\n[the heading](#page)\n"})
    assert done.succeeded, done.messages

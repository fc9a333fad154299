"""The library that the page imports is lit-html as it was published, at the version of the lock."""

import hashlib
import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.integration.project import PAGE

VENDOR = PAGE / "files" / "vendor"
VERSIONS: dict[str, dict[str, Any]] = json.loads((VENDOR / "versions.json").read_text(encoding="utf-8"))
SCRIPTS = sorted(VENDOR.rglob("*.js"))


@pytest.mark.parametrize("package", VERSIONS)
def test_no_file_was_changed_and_none_is_missing_or_extra(package: str) -> None:
    """The SHA-256 of each file is the one that `make vendor` noted when it copied the file."""
    folder = VENDOR / package
    files = [path for path in folder.rglob("*") if path.is_file()]
    sums = {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}
    assert sums == VERSIONS[package]["files"], "do not edit these files: make vendor writes them"
    assert "LICENSE" in sums


def test_only_the_listed_packages_are_there() -> None:
    assert {path.name for path in VENDOR.iterdir()} == {"versions.json", *VERSIONS}


@pytest.mark.parametrize("package", VERSIONS)
def test_the_version_and_the_licence_are_those_of_the_lock(package: str) -> None:
    lock = json.loads((PAGE / "package-lock.json").read_text(encoding="utf-8"))["packages"][f"node_modules/{package}"]
    assert (VERSIONS[package]["version"], VERSIONS[package]["licence"]) == (lock["version"], lock["license"]), (
        "run make vendor"
    )


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: str(path.relative_to(VENDOR)))
def test_a_browser_can_load_the_script(script: Path) -> None:
    """It imports only files that are there, needs no source map, and has its types for TypeScript beside it."""
    text = script.read_text(encoding="utf-8")
    for path in re.findall(r"""(?:\bfrom|\bimport)\s*\(?\s*["']([^"']+)["']""", text):
        assert path.startswith(".") and (script.parent / path).resolve() in SCRIPTS, path
    assert "sourceMappingURL" not in text
    assert script.with_suffix(".d.ts").is_file()

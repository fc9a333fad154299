"""The bill of materials lists what is installed and what is sent to browsers, and is valid CycloneDX."""

import base64
import importlib.metadata
import json
import re
from pathlib import Path

import pytest

from tests.integration.project import REPOSITORY, locked

pytest.importorskip("cyclonedx", reason="make sbom installs it")
from supply_chain import sbom


def test_the_library_of_the_page_is_listed_with_its_checksums() -> None:
    """They are those of versions.json, which another test compares with the files."""
    versions = json.loads((sbom.VENDOR / "versions.json").read_text(encoding="utf-8"))
    (library,) = sbom.page_libraries()
    assert (library["purl"], library["licenses"]) == (
        f"pkg:npm/lit-html@{versions['lit-html']['version']}",
        [{"license": {"id": "BSD-3-Clause"}}],
    )
    hashes = {file["name"]: file["hashes"] for file in library["components"]}
    assert hashes == {
        name: [{"alg": "SHA-256", "content": digest}] for name, digest in versions["lit-html"]["files"].items()
    }


def test_swagger_ui_is_listed_with_the_checksums_that_its_package_was_published_with() -> None:
    """The list of files of the installed package, RECORD, has them in base64."""
    component = sbom.swagger_ui()
    assert re.fullmatch(r"pkg:npm/swagger-ui-dist@5\.\d+\.\d+", component["purl"])
    published = {
        Path(file).name: base64.urlsafe_b64decode(f"{file.hash.value}=").hex()
        for file in importlib.metadata.files("fastapi-swagger") or []
        if "/resources/" in str(file) and file.hash is not None and file.suffix != ".py"
    }
    assert {file["name"]: file["hashes"][0]["content"] for file in component["components"]} == published
    assert {"swagger-ui-bundle.js", "swagger-ui.css"} <= set(published)


@pytest.mark.slow
def test_the_bill_has_every_locked_package(tmp_path: Path) -> None:
    """Of each version all hashes of the lock; of what is installed, the licence and what it needs."""
    assert sbom.main(["--output", str(tmp_path / "bill.json")]) == 0
    bill = json.loads((tmp_path / "bill.json").read_text(encoding="utf-8"))
    components = {component["purl"]: component for component in bill["components"]}
    pins = {
        f"pkg:pypi/{name}@{version}": name for name, rows in locked("requirements.lock").items() for version, _ in rows
    }
    scripts = {purl for purl in components if purl.startswith("pkg:npm/")}
    assert set(components) - scripts == set(pins)
    assert {purl.partition("@")[0] for purl in scripts} == {"pkg:npm/lit-html", "pkg:npm/swagger-ui-dist"}
    hashes = [
        entry["content"]
        for purl in pins
        for reference in components[purl]["externalReferences"]
        for entry in reference["hashes"]
    ]
    expected = re.findall(r"--hash=sha256:([0-9a-f]{64})", (REPOSITORY / "requirements.lock").read_text("utf-8"))
    assert sorted(hashes) == sorted(expected)

    fastapi = components[f"pkg:pypi/fastapi@{importlib.metadata.version('fastapi')}"]
    assert fastapi["licenses"] == [{"license": {"acknowledgement": "declared", "id": "MIT"}}]
    needs = {edge["ref"]: edge["dependsOn"] for edge in bill["dependencies"] if "dependsOn" in edge}
    starlette = components[f"pkg:pypi/starlette@{importlib.metadata.version('starlette')}"]
    assert starlette["bom-ref"] in needs[fastapi["bom-ref"]]
    root = needs[bill["metadata"]["component"]["bom-ref"]]
    assert fastapi["bom-ref"] in root and starlette["bom-ref"] not in root
    assert scripts <= set(root)


def test_an_invalid_bill_is_not_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """CycloneDX's schema has no component without a name."""
    bill = {"bomFormat": "CycloneDX", "specVersion": "1.6", "components": [{"type": "library"}]}
    monkeypatch.setattr(sbom, "bill_of_materials", lambda lock: bill)
    assert sbom.main(["--output", str(tmp_path / "bill.json")]) == 1
    assert "'name' is a required property" in capsys.readouterr().err
    assert not (tmp_path / "bill.json").exists()

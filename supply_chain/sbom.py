"""Write the software bill of materials of the service as CycloneDX JSON: python -m supply_chain.sbom.

It lists every package of requirements.lock, for all systems, with the SHA-256 of its files; the licences and the
dependencies of those that are installed here; and the scripts of others that the service sends to browsers.
"""

import argparse
import hashlib
import importlib.resources
import json
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from models.version import project_version

REPOSITORY = Path(__file__).parents[1]
VENDOR = REPOSITORY / "app" / "page" / "files" / "vendor"
"""The libraries of the page, with their checksums in versions.json."""
SWAGGER_VERSION = re.compile(r'PACKAGE_VERSION:"([0-9.]+)"')
"""Where the script of Swagger UI says its version; the Python package that contains the script has another one."""

Json = dict[str, Any]


def bill_of_materials(lock: Path) -> Json:
    """The bill of materials of the packages in a lock, and of the scripts that the service sends to browsers."""
    bill = _cyclonedx("requirements", str(lock))
    installed = _cyclonedx("environment", sys.executable)
    _describe_installed(bill, installed)
    bill["metadata"]["component"]["version"] = project_version()  # which pyproject.toml does not state itself
    scripts = [*page_libraries(), swagger_ui()]
    bill["components"] += scripts
    bill["dependencies"] += [{"ref": script["bom-ref"]} for script in scripts]
    (root,) = (edge for edge in bill["dependencies"] if edge["ref"] == bill["metadata"]["component"]["bom-ref"])
    root.setdefault("dependsOn", []).extend(script["bom-ref"] for script in scripts)
    return bill


def _cyclonedx(kind: str, source: str) -> Json:
    """The bill of materials that CycloneDX's own tool makes from a lock (requirements) or a Python (environment)."""
    # Without its warning that a lock does not say what needs what: that is added afterwards.
    command = [sys.executable, "-W", "ignore", "-m", "cyclonedx_py", kind]
    command += ["--pyproject", str(REPOSITORY / "pyproject.toml")]
    command += ["--spec-version", "1.6", "--output-reproducible", "--output-format", "JSON", source]
    bill: Json = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    return bill


def _describe_installed(bill: Json, installed: Json) -> None:
    """Add to the packages of a lock what is known of those that are installed in the same version.

    These are what it is, its licences, and the packages that it needs. A lock says nothing of them.
    """
    root = bill["metadata"]["component"]["bom-ref"]
    locked = {component["purl"]: component for component in bill["components"]}
    names = {installed["metadata"]["component"]["bom-ref"]: root}
    for component in installed["components"]:
        if (same := locked.get(component.get("purl"))) is not None:
            names[component["bom-ref"]] = same["bom-ref"]
            same.update({field: component[field] for field in ("description", "licenses") if field in component})
    needs = {
        names[edge["ref"]]: edge.get("dependsOn", []) for edge in installed["dependencies"] if edge["ref"] in names
    }
    bill["dependencies"] = [
        {"ref": ref, "dependsOn": sorted(names[need] for need in needs.get(ref, []) if need in names)}
        for ref in [root, *(component["bom-ref"] for component in bill["components"])]
    ]


def page_libraries() -> Iterator[Json]:
    """The JavaScript libraries that are copied into the repository for the page."""
    for name, library in json.loads((VENDOR / "versions.json").read_text(encoding="utf-8")).items():
        yield _npm_package(name, library["version"], library["licence"], library["files"])


def swagger_ui() -> Json:
    """The files of Swagger UI, which the Python package fastapi-swagger contains."""
    folder = importlib.resources.files("fastapi_swagger") / "resources"
    contents = {file.name: file.read_bytes() for file in folder.iterdir() if not file.name.startswith("__")}
    version = SWAGGER_VERSION.search(contents["swagger-ui-bundle.js"].decode())
    if version is None:
        raise ValueError("the script of Swagger UI does not say its version: change SWAGGER_VERSION in this module")
    files = {name: hashlib.sha256(content).hexdigest() for name, content in sorted(contents.items())}
    return _npm_package("swagger-ui-dist", version[1], "Apache-2.0", files)


def _npm_package(name: str, version: str, licence: str, files: dict[str, str]) -> Json:
    """A component for a package of npm, of which the service has some files; `files` are their SHA-256 by name."""
    reference = f"pkg:npm/{name}@{version}"
    return {
        "type": "library",
        "bom-ref": reference,
        "name": name,
        "version": version,
        "purl": reference,
        "licenses": [{"license": {"id": licence}}],
        "components": [
            {
                "type": "file",
                "bom-ref": f"{reference}#{file}",
                "name": file,
                "hashes": [{"alg": "SHA-256", "content": digest}],
            }
            for file, digest in files.items()
        ],
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the file; the exit status is 1 if it would not be valid by CycloneDX's schema."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, default=REPOSITORY / "sbom.cdx.json", help="the file (sbom.cdx.json)")
    output: Path = parser.parse_args(arguments).output
    bill = bill_of_materials(REPOSITORY / "requirements.lock")
    text = json.dumps(bill, indent=2) + "\n"
    if error := JsonStrictValidator(SchemaVersion.V1_6).validate_str(text):
        print(f"nothing was written: the bill of materials is not valid CycloneDX 1.6: {error}", file=sys.stderr)
        return 1
    output.write_text(text, encoding="utf-8")
    licensed = sum("licenses" in component for component in bill["components"])
    print(f"{output}: {len(bill['components'])} components, {licensed} of them with licences")
    return 0


if __name__ == "__main__":
    sys.exit(main())

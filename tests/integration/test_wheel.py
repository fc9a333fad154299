"""The wheel holds what the packages need, and the changelog knows its version."""

import subprocess
import sys
import zipfile
from pathlib import Path

from tests.integration.project import PYPROJECT, REPOSITORY, is_tool


def test_the_wheel_has_the_packages_and_their_data(tmp_path: Path) -> None:
    """It has all files of the three packages except bytecode and tools, the licence, and nothing of the tests."""
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(command, cwd=REPOSITORY, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    version = PYPROJECT["project"]["version"]
    assert wheel.name == f"mirage_vision-{version}-py3-none-any.whl"
    expected = {
        str(file.relative_to(REPOSITORY))
        for package in ("app", "models", "training")
        for file in (REPOSITORY / package).rglob("*")
        if file.is_file() and "__pycache__" not in file.parts and not is_tool(file)
    }
    data = {"models/imagenet_synonyms.txt", "models/imagenet_wordnet_ids.txt"}
    assert data | {"app/page/files/vendor/lit-html/lit-html.js"} <= expected
    assert not any("node_modules" in name or name.endswith(("package.json", "package-lock.json")) for name in expected)
    metadata = f"mirage_vision-{version}.dist-info/"
    assert {name for name in names if not name.startswith(metadata)} == expected
    assert f"{metadata}licenses/LICENSE" in names


def test_the_version_is_in_the_changelog() -> None:
    text = (REPOSITORY / "CHANGELOG.md").read_text(encoding="utf-8")
    assert f"\n## [{PYPROJECT['project']['version']}]" in text

"""The wheels hold what their packages need, and the changelog knows their version."""

import subprocess
import sys
import zipfile
from pathlib import Path

import mirage
from models.version import project_version
from supply_chain.release import check_changelog
from tests.integration.project import REPOSITORY, is_tool


def built(project: Path, folder: Path) -> Path:
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=project, check=True, capture_output=True)
    (wheel,) = folder.glob("*.whl")
    return wheel


def files(folder: Path, *packages: str) -> set[str]:
    """The files of the packages, as paths in the folder, without bytecode and tools."""
    return {
        str(file.relative_to(folder))
        for package in packages
        for file in (folder / package).rglob("*")
        if file.is_file() and "__pycache__" not in file.parts and not is_tool(file)
    }


def test_the_wheel_has_the_packages_and_their_data(tmp_path: Path) -> None:
    """It has all files of the three packages except bytecode and tools, the licence, and nothing of the tests."""
    wheel = built(REPOSITORY, tmp_path)
    names = set(zipfile.ZipFile(wheel).namelist())
    version = project_version()
    assert wheel.name == f"mirage_vision-{version}-py3-none-any.whl"
    expected = files(REPOSITORY, "app", "models", "training")
    data = {"models/imagenet_synonyms.txt", "models/imagenet_wordnet_ids.txt"}
    assert data | {"app/page/files/vendor/lit-html/lit-html.js"} <= expected
    assert not any("node_modules" in name or name.endswith(("package.json", "package-lock.json")) for name in expected)
    metadata = f"mirage_vision-{version}.dist-info/"
    assert {name for name in names if not name.startswith(metadata)} == expected
    assert {f"{metadata}licenses/LICENSE", f"{metadata}licenses/NOTICE"} <= names


def test_the_wheel_of_the_client_has_the_client_and_nothing_else(tmp_path: Path) -> None:
    """Also the mark that its types are complete, its licence, and the command `mirage`."""
    wheel = built(REPOSITORY / "client", tmp_path)
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        metadata = f"mirage_client-{project_version()}.dist-info/"
        assert {name for name in names if not name.startswith(metadata)} == files(REPOSITORY / "client", "mirage")
        assert "mirage/py.typed" in names and f"{metadata}licenses/LICENSE" in names
        assert "mirage = mirage.command_line.main:main" in archive.read(f"{metadata}entry_points.txt").decode()
    assert wheel.stat().st_size < 200_000


def test_there_is_one_version_and_one_licence() -> None:
    assert mirage.__version__ == project_version()
    texts = [(REPOSITORY / folder / "LICENSE").read_bytes() for folder in ("", "client")]
    assert texts[0] == texts[1]


def test_the_changelog_is_in_order() -> None:
    """Its newest section is of this version, with entries below known headings."""
    check_changelog((REPOSITORY / "CHANGELOG.md").read_text(encoding="utf-8"), project_version())

"""The container image, as far as it can be checked without Docker."""

import fnmatch
import importlib.util
import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

from app.settings import Settings
from models.store import BUNDLED
from tests.integration.project import PYPROJECT, REPOSITORY, environment, last, stages


def sent_to_docker(path: Path) -> bool:
    """Whether .dockerignore lets a file of the repository through: the last pattern that matches it or a parent."""
    relative, sent = path.relative_to(REPOSITORY), True
    names = [str(relative), *map(str, relative.parents)]
    for line in (REPOSITORY / ".dockerignore").read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            pattern = line.removeprefix("!")
            # In its patterns * does not cross folders, and **/ stands for any number of them, none included.
            anywhere = pattern.startswith("**/")
            tried = [Path(name).name for name in names] if anywhere else [n for n in names if "/" not in n]
            if any(fnmatch.fnmatchcase(name, pattern.removeprefix("**/")) for name in tried):
                sent = line.startswith("!")
    return sent


def copies(stage: list[tuple[str, str]]) -> list[tuple[list[str], str]]:
    """COPY's sources and target, of those from the build context."""
    copied = []
    for name, rest in stage:
        if name == "COPY" and not rest.startswith("--from="):
            *sources, target = rest.split()
            copied.append((sources, target))
    return copied


def test_what_is_copied_into_the_image_exists_and_is_sent() -> None:
    sources = [source for sources, _ in copies(stages()[1]) for source in sources]
    assert {"app", "models", "training", "requirements.lock"} <= set(sources)
    for source in sources:
        path = REPOSITORY / source
        assert path.exists(), source
        files = [path] if path.is_file() else list(path.rglob("*.py"))
        assert files
        assert all(sent_to_docker(file) for file in files), source


def test_all_that_a_package_holds_is_sent() -> None:
    """Checkpoints, the page and the synonyms too; bytecode not."""
    for package in PYPROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]:
        for file in (REPOSITORY / package).rglob("*"):
            if file.is_file():
                assert sent_to_docker(file) == ("__pycache__" not in file.parts), file


@pytest.mark.parametrize("name", [".env", ".git", ".venv", "runs", "tests", "shared", "docs", "data.zip"])
def test_nothing_else_is_sent(name: str) -> None:
    """Neither secrets nor gigabytes."""
    assert not sent_to_docker(REPOSITORY / name)
    assert not sent_to_docker(REPOSITORY / name / "file")


def test_each_step_of_the_image_has_the_files_that_it_needs(tmp_path: Path) -> None:
    """The build stage replayed in an empty folder: what each `make` depends on has been copied before it."""
    asked = []
    for name, rest in stages()[1]:
        if name == "COPY":
            *sources, target = rest.split()
            for source in sources:
                here = REPOSITORY / source
                if here.is_dir():
                    shutil.copytree(here, tmp_path / target, ignore=shutil.ignore_patterns("__pycache__"))
                else:
                    shutil.copy(here, tmp_path / target)
        if name == "RUN" and "make " in rest and "apt-get" not in rest:
            goal = re.search(r"make (\w+)", rest)
            assert goal is not None
            asked.append(goal[1])
            # Dry: make still refuses where a prerequisite is missing.
            subprocess.run(["make", "-n", goal[1]], cwd=tmp_path, check=True, capture_output=True)
    assert asked == ["dependencies", "install"]


@pytest.mark.slow
def test_the_steps_of_the_image_make_a_service(tmp_path: Path) -> None:
    """The same for real, from the package index: the service imports, and no tool of the tests is there."""
    for sources, target in copies(stages()[1]):
        for source in sources:
            here = REPOSITORY / source
            shutil.copytree(here, tmp_path / target) if here.is_dir() else shutil.copy(here, tmp_path / target)
    subprocess.run(["make", "install"], cwd=tmp_path, check=True, capture_output=True)
    python = tmp_path / ".venv" / "bin" / "python"
    script = "import app.main, training.__main__, models.store as s; print(s.checkpoint_names())"
    done = subprocess.run([python, "-c", script], cwd="/", check=True, capture_output=True, text=True)
    assert done.stdout.strip() == str(sorted(path.stem for path in BUNDLED.glob("*.safetensors")))
    assert subprocess.run([python, "-c", "import pytest"], capture_output=True).returncode == 1


def test_the_image_runs_as_nobody_special() -> None:
    """By number, so that Kubernetes' runAsNonRoot can tell; the user that is made is the one that runs."""
    user = last("USER")
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", user)
    names = [name for name, _ in stages()[-1]]
    assert names.index("USER") > max(index for index, name in enumerate(names) if name in ("RUN", "COPY"))
    (made,) = [rest for name, rest in stages()[-1] if name == "RUN" and "useradd" in rest]
    assert f"--uid {user.partition(':')[0]} " in made


def test_both_stages_have_the_same_base_and_place() -> None:
    """A virtual environment works only where it was made, on the Python that made it."""
    build, final = stages()[1], stages()[-1]
    assert build[0][1].removesuffix(" AS build") == final[0][1] == "${PYTHON_IMAGE}"
    (default,) = [rest for name, rest in stages()[0] if name == "ARG"]
    python = re.fullmatch(r"PYTHON_IMAGE=python:(\d+\.\d+)-slim", default)
    assert python is not None
    assert Version(python[1]) in Requirement(f"x{PYPROJECT['project']['requires-python']}").specifier
    (place,) = [rest for name, rest in build if name == "WORKDIR"]
    assert ("COPY", f"--from=build {place} {place}") in final
    assert environment()["PATH"].startswith(f"{place}/.venv/bin:")


def test_the_image_runs_modules_that_exist() -> None:
    command = json.loads(last("CMD"))
    assert command[:2] == ["python", "-m"]
    assert importlib.util.find_spec(f"{command[2]}.__main__") is not None


def test_the_images_settings_are_settings() -> None:
    """A misspelt MIRAGE_ variable would be passed over in silence; the address must be open to the host."""
    ours = {name: value for name, value in environment().items() if name.startswith("MIRAGE_")}
    assert {name.removeprefix("MIRAGE_").lower() for name in ours} <= set(Settings.model_fields)
    assert ours["MIRAGE_HOST"] == "0.0.0.0"
    assert ours["MIRAGE_PORT"] == last("EXPOSE")

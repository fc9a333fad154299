"""The container image, as far as it can be checked without Docker."""

import fnmatch
import importlib.util
import json
import re
import shutil
import subprocess
from functools import partial
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

from app.settings import Settings
from models.store import BUNDLED
from tests.integration.project import PYPROJECT, REPOSITORY, environment, is_tool, last, stages


def sent_to_docker(path: Path) -> bool:
    """Whether .dockerignore lets a file of the repository through: the last pattern that matches it or a parent."""
    relative, sent = path.relative_to(REPOSITORY), True
    names = [str(relative), *map(str, relative.parents)]
    for line in (REPOSITORY / ".dockerignore").read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            pattern = line.removeprefix("!")
            # In its patterns * does not cross folders, and **/ stands for any number of them, none included.
            anywhere = pattern.startswith("**/")
            pattern = pattern.removeprefix("**/")
            candidates = [Path(name).name for name in names] if anywhere else names
            if any(matches(name, pattern) for name in candidates):
                sent = line.startswith("!")
    return sent


def matches(name: str, pattern: str) -> bool:
    """Whether a path has as many parts as the pattern, and each fits."""
    return name.count("/") == pattern.count("/") and all(map(fnmatch.fnmatchcase, name.split("/"), pattern.split("/")))


def not_sent(folder: str, names: list[str]) -> list[str]:
    """The files in a folder that .dockerignore holds back, for shutil.copytree."""
    return [name for name in names if not sent_to_docker(Path(folder) / name)]


def copies(stage: list[tuple[str, str]]) -> list[tuple[list[str], str]]:
    """The sources and the target of every COPY from the build context."""
    instructions = []
    for name, rest in stage:
        if name == "COPY" and not rest.startswith("--from="):
            *sources, target = rest.split()
            instructions.append((sources, target))
    return instructions


def test_what_is_copied_into_the_image_exists_and_is_sent() -> None:
    sources = [source for sources, _ in copies(stages()[1]) for source in sources]
    assert {"app", "models", "training", "requirements.lock"} <= set(sources)
    for source in sources:
        path = REPOSITORY / source
        assert path.exists(), source
        files = [path] if path.is_file() else list(path.rglob("*.py"))
        assert files
        assert all(sent_to_docker(file) for file in files), source


def test_all_files_of_the_packages_are_sent_to_docker() -> None:
    """Checkpoints, web pages and the synonyms are among them; bytecode and the tools of the page are not sent."""
    for package in PYPROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]:
        for file in (REPOSITORY / package).rglob("*"):
            if file.is_file():
                assert sent_to_docker(file) == ("__pycache__" not in file.parts and not is_tool(file)), file


@pytest.mark.parametrize(
    "name",
    [".env", ".git", ".venv", "runs", "tests", "shared", "docs", "data.zip", "app/page/node_modules", "app/page/types"],
)
def test_secrets_and_data_are_not_sent_to_docker(name: str) -> None:
    """Neither the file or folder itself nor a file in it is sent."""
    assert not sent_to_docker(REPOSITORY / name)
    assert not sent_to_docker(REPOSITORY / name / "file")


def test_each_step_of_the_image_has_the_files_that_it_needs(tmp_path: Path) -> None:
    """The build stage is replayed in an empty folder: the files that a `make` target needs are copied before it."""
    targets = []
    for name, rest in stages()[1]:
        if name == "COPY":
            *sources, target = rest.split()
            for source in sources:
                here = REPOSITORY / source
                if here.is_dir():
                    shutil.copytree(here, tmp_path / target, ignore=not_sent)
                else:
                    shutil.copy(here, tmp_path / target)
        if name == "RUN" and "make " in rest and "apt-get" not in rest:
            goal = re.search(r"make (\w+)", rest)
            assert goal is not None
            targets.append(goal[1])
            # A dry run: make still refuses if a prerequisite is missing.
            subprocess.run(["make", "-n", goal[1]], cwd=tmp_path, check=True, capture_output=True)
    assert targets == ["dependencies", "install", "extras"]


@pytest.mark.slow
def test_the_steps_of_the_image_make_a_service(tmp_path: Path) -> None:
    """The steps run for real with the package index: the service can be imported, and pytest cannot."""
    for sources, target in copies(stages()[1]):
        for source in sources:
            here = REPOSITORY / source
            copy = partial(shutil.copytree, ignore=not_sent) if here.is_dir() else shutil.copy
            copy(here, tmp_path / target)
    subprocess.run(["make", "install"], cwd=tmp_path, check=True, capture_output=True)
    python = tmp_path / ".venv" / "bin" / "python"
    script = "import app.main, training.__main__, models.store as s; print(s.checkpoint_names())"
    done = subprocess.run([python, "-c", script], cwd="/", check=True, capture_output=True, text=True)
    assert done.stdout.strip() == str(sorted(path.stem for path in BUNDLED.glob("*.safetensors")))
    assert subprocess.run([python, "-c", "import pytest"], capture_output=True).returncode == 1


def test_the_image_runs_as_an_unprivileged_user() -> None:
    """The user is a number, which runAsNonRoot of Kubernetes can check, and is the one that useradd creates."""
    user = last("USER")
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", user)
    names = [name for name, _ in stages()[-1]]
    assert names.index("USER") > max(index for index, name in enumerate(names) if name in ("RUN", "COPY"))
    (made,) = [rest for name, rest in stages()[-1] if name == "RUN" and "useradd" in rest]
    assert f"--uid {user.partition(':')[0]} " in made


def test_both_stages_have_the_same_base_and_folder() -> None:
    """A virtual environment works only in the folder where it was made, with the Python that made it."""
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


def test_the_environment_of_the_image_has_only_known_settings() -> None:
    """A misspelt MIRAGE_ variable would be ignored silently; the service must listen on all addresses."""
    ours = {name: value for name, value in environment().items() if name.startswith("MIRAGE_")}
    assert {name.removeprefix("MIRAGE_").lower() for name in ours} <= set(Settings.model_fields)
    assert ours["MIRAGE_HOST"] == "0.0.0.0"
    assert ours["MIRAGE_PORT"] == last("EXPOSE")

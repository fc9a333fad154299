"""Continuous integration, the issue forms and the pre-commit hooks agree with pyproject.toml and the Makefile."""

import re
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from tests.integration.project import PYPROJECT, REPOSITORY

GITHUB = REPOSITORY / ".github"
WORKFLOW = yaml.safe_load((GITHUB / "workflows" / "ci.yml").read_text(encoding="utf-8"))
HOOKS = yaml.safe_load((REPOSITORY / ".pre-commit-config.yaml").read_text(encoding="utf-8"))
MATRIX = WORKFLOW["jobs"]["test"]["strategy"]["matrix"]


def commands(job: str) -> list[str]:
    """The commands of a job, without the names of the actions that it uses."""
    return [step["run"] for step in WORKFLOW["jobs"][job]["steps"] if "run" in step]


def test_the_jobs_run_the_targets_that_contributors_run() -> None:
    for target in ("test", "check", "browser"):
        assert f"make {target}" in commands(target)
    makefile = (REPOSITORY / "Makefile").read_text(encoding="utf-8")
    all_commands = "\n".join(command for job in WORKFLOW["jobs"] for command in commands(job))
    for target in re.findall(r"\bmake (?:\w+=\w+ )*([\w./-]+)", all_commands):
        assert re.search(rf"^{re.escape(target)}:", makefile, flags=re.MULTILINE), target


def test_the_oldest_python_of_the_project_is_tested() -> None:
    versions = SpecifierSet(PYPROJECT["project"]["requires-python"])
    assert MATRIX["python"][0] == "3.11" and "3.10" not in versions
    assert all(version in versions for version in MATRIX["python"])


def test_the_oldest_pytorch_of_the_project_is_tested() -> None:
    """`torch~=2.11.0` is any patch release of the lower bound 2.11."""
    bounds = [Requirement(line) for line in PYPROJECT["project"]["dependencies"]]
    lowest = {bound.name: f"{bound.name}~={str(bound.specifier).removeprefix('>=')}.0" for bound in bounds}
    (oldest,) = [row["requirements"] for row in MATRIX["include"] if row["torch"] == "oldest"]
    assert oldest.split() == [lowest["torch"], lowest["torchvision"]]
    (newest,) = [row["requirements"] for row in MATRIX["include"] if row["torch"] == "newest"]
    assert newest.split() == ["torch", "torchvision"]


def test_the_workflow_names_no_package_index_and_can_only_read() -> None:
    assert "://" not in (GITHUB / "workflows" / "ci.yml").read_text(encoding="utf-8")
    assert WORKFLOW["permissions"] == {"contents": "read"}


def test_the_hooks_are_what_make_check_runs() -> None:
    makefile = (REPOSITORY / "Makefile").read_text(encoding="utf-8")
    (recipe,) = re.findall(r"^check:.*\n((?:\t.*\n)+)", makefile, flags=re.MULTILINE)
    recipe = recipe.replace("$(IN)", ".venv/bin/python -m").replace("$(MAKE)", "make")
    commands_of_make = [line.strip() for line in recipe.splitlines()]
    (repository,) = HOOKS["repos"]
    assert repository["repo"] == "local"
    assert [hook["entry"] for hook in repository["hooks"]] == commands_of_make


@pytest.mark.parametrize("name", ["bug", "feature"])
def test_an_issue_form_has_what_github_requires(name: str) -> None:
    """Name, description and a body whose elements have unique ids and a label."""
    form: dict[str, Any] = yaml.safe_load((GITHUB / "ISSUE_TEMPLATE" / f"{name}.yml").read_text(encoding="utf-8"))
    assert form["name"] and form["description"]
    identifiers = [element["id"] for element in form["body"]]
    assert len(set(identifiers)) == len(identifiers) >= 3
    assert all(element["attributes"]["label"] for element in form["body"])
    assert any(element.get("validations", {}).get("required") for element in form["body"])

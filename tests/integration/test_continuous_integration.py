"""Continuous integration, the issue forms and the pre-commit hooks agree with pyproject.toml and the Makefile."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from tests.integration.project import PAGE, PYPROJECT, REPOSITORY

GITHUB = REPOSITORY / ".github"
WORKFLOW = yaml.safe_load((GITHUB / "workflows" / "ci.yml").read_text(encoding="utf-8"))
WORKFLOWS = sorted((GITHUB / "workflows").glob("*.yml"))
HOOKS = yaml.safe_load((REPOSITORY / ".pre-commit-config.yaml").read_text(encoding="utf-8"))
MATRIX = WORKFLOW["jobs"]["test"]["strategy"]["matrix"]


def commands(job: str, workflow: dict[str, Any] = WORKFLOW) -> list[str]:
    """The commands of a job, without the names of the actions that it uses."""
    return [step["run"] for step in workflow["jobs"][job]["steps"] if "run" in step]


def test_the_jobs_run_the_targets_that_contributors_run() -> None:
    for target in ("test", "check", "docs", "browser"):
        assert f"make {target}" in commands(target)
    makefile = (REPOSITORY / "Makefile").read_text(encoding="utf-8")
    workflows = [yaml.safe_load(path.read_text(encoding="utf-8")) for path in WORKFLOWS]
    all_commands = "\n".join(command for each in workflows for job in each["jobs"] for command in commands(job, each))
    assert "make PYTHON=python audit" in all_commands
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


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_a_workflow_names_no_package_index_and_can_only_read(path: Path) -> None:
    """It trusts commits of actions, not tags that can be moved, and leaves no token in the folder for its commands."""
    text = path.read_text(encoding="utf-8")
    assert "://" not in text
    workflow = yaml.safe_load(text)
    assert workflow["permissions"] == {"contents": "read"}
    assert all("permissions" not in job for job in workflow["jobs"].values())
    uses = re.findall(r"uses: (.*)", text)
    assert uses and all(re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", use) for use in uses)
    checkouts = [step for job in workflow["jobs"].values() for step in job["steps"] if "checkout@" in str(step)]
    assert checkouts and all(step["with"] == {"persist-credentials": False} for step in checkouts)


def test_an_audit_follows_each_change_of_a_lock() -> None:
    """The patterns of the workflow fit every lock of the repository, in pull requests and on the main branch."""
    # YAML 1.1 reads the key `on` as the truth value.
    triggers = yaml.safe_load((GITHUB / "workflows" / "audit.yml").read_text(encoding="utf-8"))[True]
    locks = [*REPOSITORY.glob("*.lock"), PAGE / "package-lock.json"]
    for event in ("push", "pull_request"):
        paths = triggers[event]["paths"]
        for lock in locks:
            assert any(lock.relative_to(REPOSITORY).match(pattern) for pattern in paths), lock
    assert len(triggers["schedule"]) == 1


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

"""The targets of the Makefile and .ci/run, tried with make -n and with a stand-in for make."""

import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.integration.project import LOCKS, PAGE, REPOSITORY, locked


def make(*words: str, cwd: Path = REPOSITORY, check: bool = True) -> subprocess.CompletedProcess[str]:
    variables = {name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS")}
    return subprocess.run(["make", *words], cwd=cwd, env=variables, check=check, capture_output=True, text=True)


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A folder with the files of a fresh clone that the set-up needs."""
    for name in ("Makefile", "pyproject.toml", *LOCKS):
        shutil.copy(REPOSITORY / name, tmp_path / name)
    for name in ("pyproject.toml", "mirage/version.py"):
        (tmp_path / "client" / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(REPOSITORY / "client" / name, tmp_path / "client" / name)
    (tmp_path / "app" / "page").mkdir(parents=True)
    for name in ("package.json", "package-lock.json", ".npmrc"):
        shutil.copy(PAGE / name, tmp_path / "app" / "page" / name)
    return tmp_path


def test_make_without_a_target_lists_every_target() -> None:
    listed = {line.split()[1]: line.split()[2:] for line in make().stdout.splitlines()}
    assert {"serve", "test", "check", "train", "bench"} <= set(listed)
    assert all(len(words) > 2 for name, words in listed.items() if name != "help")
    text = (REPOSITORY / "Makefile").read_text(encoding="utf-8")
    (phony,) = re.findall(r"^\.PHONY: (help (?:.*\\\n)*.*)$", text, flags=re.MULTILINE)
    assert set(listed) == set(phony.replace("\\\n", "").split()) - {"dependencies"}


@pytest.mark.parametrize(
    ("goal", "lock", "ends"),
    [
        ("serve", "requirements.lock", "-m app"),
        ("test", "requirements-dev.lock", "--dist worksteal"),
        ("check", "requirements-dev.lock", "tsc --project tsconfig.json"),
        ("types", "requirements-dev.lock", "tsc --project tsconfig.json"),
        ("browser", "requirements-dev.lock", "--dist loadfile"),
        ("bench", "requirements-dev.lock", "-m benchmarks"),
        ("docs", "requirements-docs.lock", "echo 'The site is build/site/index.html'"),
        ("sbom", "requirements-audit.lock", "-m supply_chain.sbom"),
    ],
)
def test_a_target_sets_itself_up_in_a_fresh_clone(clone: Path, goal: str, lock: str, ends: str) -> None:
    """The order is: virtual environment, installer by hash, packages by hash, and the command at the end."""
    output = make("-n", goal, "NPM=npm", cwd=clone).stdout
    steps = ["-m venv", "--require-hashes -r requirements-install.lock", f"--require-hashes -r {lock}", ends]
    places = [output.find(step) for step in steps]
    assert -1 not in places
    assert places == sorted(places)
    assert "--no-deps --no-build-isolation --editable . --editable client" in output
    assert output.strip().endswith(ends)


def test_an_audit_installs_nothing_that_it_looks_up(clone: Path) -> None:
    """Whoever doubts a package should not have to install it first: only the tools of the audit are installed."""
    output = make("-n", "audit", cwd=clone).stdout
    assert "--require-hashes -r requirements-audit.lock" in output
    assert "requirements.lock" not in output and "--editable" not in output
    assert output.strip().endswith("-m supply_chain.audit")


def test_the_tools_of_the_page_are_installed_from_their_lock(clone: Path) -> None:
    """Without scripts of packages, and once: what npm installed is used until its lock changes."""
    output = make("-n", "vendor", "NPM=npm", cwd=clone).stdout
    assert output.index("npm ci --ignore-scripts") < output.index("node app/page/vendor.mjs")
    modules = clone / "app" / "page" / "node_modules"
    modules.mkdir()
    (modules / "ready").touch()
    assert make("-n", "vendor", "NPM=npm", cwd=clone).stdout == "node app/page/vendor.mjs\n"
    os.utime(modules / "ready", (1_000_000, 1_000_000))
    assert "npm ci" in make("-n", "vendor", "NPM=npm", cwd=clone).stdout


def test_each_warning_ends_the_build_of_the_site(clone: Path) -> None:
    """Also at the second build: pages that have not changed are read again, so that their warnings are seen."""
    (build,) = [line for line in make("-n", "docs", cwd=clone).stdout.splitlines() if "-m sphinx" in line]
    assert {"--fail-on-warning", "--fresh-env"} <= set(build.split())


def test_without_node_types_are_not_checked_and_the_library_is_not_copied(clone: Path) -> None:
    """The check says so and succeeds, since it is a part of `make check`; the copy fails with what to install."""
    done = make("types", "NPM=", cwd=clone)
    assert done.stdout.count("\n") == 1 and "not checked" in done.stdout
    assert done.stdout.strip() in make("-n", "check", "NPM=", cwd=clone).stdout
    done = make("vendor", "NPM=", cwd=clone, check=False)
    assert done.returncode != 0 and "install Node.js 20 or newer" in done.stderr


def test_nothing_is_set_up_twice(clone: Path) -> None:
    """If all files are older than the stamps, `make test` only runs pytest; a changed lock is installed again."""
    ready = make("-n", "test", "-o", ".venv/dev-ready", cwd=clone).stdout
    assert ".venv/bin/python -m pytest " in ready and ready.count("\n") == 1
    stamps = [".venv/installer", ".venv/dependencies", ".venv/serve-ready", ".venv/dev-ready"]
    (clone / ".venv" / "bin").mkdir(parents=True)
    # A stand-in for the Python of a working virtual environment.
    (clone / ".venv" / "bin" / "python").symlink_to(shutil.which("true") or "/bin/true")
    sources = [*LOCKS, "pyproject.toml", "client/pyproject.toml", "client/mirage/version.py"]
    for age, name in enumerate([*sources, *stamps]):
        (clone / name).touch()
        os.utime(clone / name, (1_000_000 + age, 1_000_000 + age))
    assert make("-n", "test", cwd=clone).stdout == ready
    (clone / "requirements-dev.lock").touch()
    output = make("-n", "test", cwd=clone).stdout
    assert "-r requirements-dev.lock" in output
    assert "-r requirements.lock" not in output
    assert "-m venv" not in output


def test_without_a_python_make_says_what_to_install(clone: Path) -> None:
    done = make("PYTHON=", "serve", cwd=clone, check=False)
    assert done.returncode != 0
    assert "No Python 3.11 or newer" in done.stderr
    assert not (clone / ".venv").exists()


def test_extras_are_installed_at_the_versions_of_a_lock(clone: Path) -> None:
    """After everything else; every extra that a model may need is in this lock, and the default install has none."""
    output = make("-n", "extras", "EXTRAS=timm,huggingface", cwd=clone).stdout
    assert output.strip().endswith(
        "--no-build-isolation --constraints requirements-dev.lock --editable '.[timm,huggingface]'"
    )
    assert {"timm", "transformers"} <= set(locked("requirements-dev.lock")) - set(locked("requirements.lock"))
    done = make("extras", "-o", ".venv/serve-ready", cwd=clone, check=False)
    assert done.returncode != 0 and "make extras EXTRAS=timm,huggingface" in done.stderr


def test_training_without_data_or_output_prints_an_example(clone: Path) -> None:
    for words in ([], ["DATA=photos.zip"], ["OUTPUT=model.safetensors"]):
        done = make("train", *words, "-o", ".venv/serve-ready", cwd=clone, check=False)
        assert done.returncode != 0
        assert "make train DATA=photos.zip OUTPUT=model.safetensors" in done.stderr


def test_make_train_passes_its_variables_to_the_command() -> None:
    """Names with spaces in them remain single arguments."""
    words = ["train", "DATA=my photos", "OUTPUT=my model.safetensors", "ARGS=--epochs 0", "-o", ".venv/serve-ready"]
    output = make("-n", *words).stdout.splitlines()[-1]
    assert shlex.split(output)[3:] == ["fit", "my photos", "--output", "my model.safetensors", "--epochs", "0"]


@pytest.mark.parametrize("lock", ["requirements.lock", "requirements-dev.lock"])
def test_another_build_of_pytorch_replaces_only_pytorch(clone: Path, lock: str) -> None:
    """PyTorch's packages have the lock's versions, without CUDA; all others are still installed by their hashes."""
    output = make("-n", ".venv/dev-ready", "TORCH_BACKEND=cpu", cwd=clone).stdout.replace("\\\n", " ")
    (torch,) = [line for line in output.splitlines() if "--torch-backend=cpu" in line]
    assert "--no-deps" in torch
    (pins,) = re.findall(r"\$\((sed .*)\)", torch)
    shown = subprocess.run(["sh", "-c", pins], cwd=clone, check=True, capture_output=True, text=True)
    versions = locked("requirements.lock")
    assert shown.stdout.split() == [f"{name}=={versions[name][0][0]}" for name in ("torch", "torchvision")]

    (rest,) = [line for line in output.splitlines() if line.startswith("awk ") and f" {lock} >" in line]
    command, _, install = rest.partition(" && ")
    (clone / ".venv").mkdir()
    subprocess.run(["sh", "-c", command], cwd=clone, check=True)
    assert install.endswith(f"--require-hashes -r .venv/{lock}")
    shutil.copy(clone / ".venv" / lock, clone / "left.lock")
    whole = locked(lock)
    left = locked(str(clone / "left.lock"))
    assert left == {name: whole[name] for name in left}
    cut = set(whole) - set(left)
    assert {"torch", "torchvision", "triton"} <= cut
    assert all(re.match(r"torch|torchvision|triton|nvidia-|cuda-", name) for name in cut)
    assert not any(re.match(r"torch|triton|nvidia|cuda", name) for name in left)


def stand_in(program: Path, script: str) -> None:
    """Write a program that is found instead of another."""
    program.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    program.chmod(0o755)


def run_ci(path: str) -> subprocess.CompletedProcess[str]:
    """Run .ci/run with the programs of the folders in `path`."""
    bash = shutil.which("bash")
    assert bash is not None
    variables = {name: value for name, value in os.environ.items() if name != "MIRAGE_CHROMIUM"} | {"PATH": path}
    return subprocess.run([bash, ".ci/run"], cwd=REPOSITORY, env=variables, capture_output=True, text=True)


@pytest.mark.parametrize(
    ("failing", "targets"),
    [
        ("", ["oracles", "sbom", "docs", "test", "check", "browser"]),
        ("oracles", ["oracles", "sbom", "docs", "test", "check", "browser"]),
        ("sbom", ["oracles", "sbom"]),
        ("docs", ["oracles", "sbom", "docs"]),
        ("test", ["oracles", "sbom", "docs", "test"]),
        ("check", ["oracles", "sbom", "docs", "test", "check"]),
        ("browser", ["oracles", "sbom", "docs", "test", "check", "browser"]),
    ],
)
def test_ci_runs_the_tests_and_then_the_checks(tmp_path: Path, failing: str, targets: list[str]) -> None:
    """A stand-in for make records its targets, and fails for one of them."""
    stand_in(tmp_path / "make", f'for goal; do :; done\necho "$goal" >> {tmp_path}/asked\n[ "$goal" != "{failing}" ]')
    stand_in(tmp_path / "chromium", "exit 1")
    done = run_ci(f"{tmp_path}:{os.environ['PATH']}")
    assert (tmp_path / "asked").read_text().split() == targets
    # Without the other libraries, the tests that compare with them are skipped.
    assert (done.returncode == 0) == (failing in ("", "oracles"))
    assert ("== make test ==" in done.stdout) == (failing not in ("sbom", "docs"))


@pytest.mark.parametrize(
    ("user", "apt", "expected"),
    [
        ("0", "exit 0", ["update", "install"]),
        ("0", "exit 1", ["update"]),
        ("1000", "exit 0", []),
        ("0", None, []),
    ],
    ids=["installed", "failing", "not root", "no apt"],
)
def test_ci_tries_to_install_chromium(tmp_path: Path, user: str, apt: str | None, expected: list[str]) -> None:
    """In a PATH without a browser. If there is none afterwards, .ci/run says so and goes on: it does not fail."""
    for name in ("bash", "sh", "dirname", "env"):
        (tmp_path / name).symlink_to(shutil.which(name) or f"/bin/{name}")
    stand_in(tmp_path / "make", "exit 0")
    stand_in(tmp_path / "id", f"echo {user}")
    if apt is not None:
        stand_in(
            tmp_path / "apt-get", f'for word; do case $word in update|install) echo "$word" >&2;; esac; done\n{apt}'
        )
    done = run_ci(str(tmp_path))
    assert done.returncode == 0
    assert [line for line in done.stderr.split() if line in ("update", "install")] == expected
    assert ("tests of the page in a browser are skipped" in done.stderr) == (expected != ["update", "install"])
    stand_in(tmp_path / "google-chrome", "exit 0")
    assert run_ci(str(tmp_path)).stderr == ""

"""Set-up, image and services, as far as they can be checked without Docker."""

import fnmatch
import http.server
import importlib.util
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import threading
import tomllib
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from app.main import create_app
from app.settings import Settings
from models.store import BUNDLED

REPOSITORY = Path(__file__).parents[2]
PYPROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))
COMPOSE = yaml.safe_load((REPOSITORY / "docker-compose.yml").read_text(encoding="utf-8"))
SERVICES = COMPOSE["services"]
SERVING, TRAINING = ("serve", "serve-cpu"), ("train", "train-cpu")
INSTRUCTIONS = {"ARG", "FROM", "RUN", "ENV", "WORKDIR", "COPY", "USER", "EXPOSE", "HEALTHCHECK", "CMD"}
LOCKS = ("requirements-install.lock", "requirements.lock", "requirements-dev.lock")


# The image


def stages() -> list[list[tuple[str, str]]]:
    """The Dockerfile's instructions per stage, the ARGs before the first FROM as a stage of their own."""
    lines = (REPOSITORY / "Dockerfile").read_text(encoding="utf-8").splitlines()
    text = "\n".join(line for line in lines if not line.lstrip().startswith("#"))
    found: list[list[tuple[str, str]]] = [[]]
    for line in filter(None, text.replace("\\\n", " ").splitlines()):
        instruction, _, rest = line.partition(" ")
        assert instruction in INSTRUCTIONS, line
        if instruction == "FROM":
            found.append([])
        found[-1].append((instruction, re.sub(r"\s+", " ", rest).strip()))
    return found


def last(instruction: str) -> str:
    """The value of the final stage's one instruction of this kind."""
    (value,) = [rest for name, rest in stages()[-1] if name == instruction]
    return value


def environment() -> dict[str, str]:
    """The final stage's ENV."""
    return dict(word.partition("=")[::2] for word in shlex.split(last("ENV")))


def sent_to_docker(path: Path) -> bool:
    """Whether .dockerignore lets a file of the repository through: the last pattern that matches it or a parent."""
    relative, kept = path.relative_to(REPOSITORY), True
    names = [str(relative), *map(str, relative.parents)]
    for line in (REPOSITORY / ".dockerignore").read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            pattern = line.removeprefix("!")
            # In its patterns * does not cross folders, and **/ stands for any number of them, none included.
            anywhere = pattern.startswith("**/")
            tried = [Path(name).name for name in names] if anywhere else [n for n in names if "/" not in n]
            if any(fnmatch.fnmatchcase(name, pattern.removeprefix("**/")) for name in tried):
                kept = line.startswith("!")
    return kept


def copies(stage: list[tuple[str, str]]) -> list[tuple[list[str], str]]:
    """COPY's sources and target, of those from the build context."""
    found = []
    for name, rest in stage:
        if name == "COPY" and not rest.startswith("--from="):
            *sources, target = rest.split()
            found.append((sources, target))
    return found


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
    told = subprocess.run([python, "-c", script], cwd="/", check=True, capture_output=True, text=True)
    assert told.stdout.strip() == str(sorted(path.stem for path in BUNDLED.glob("*.safetensors")))
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


def health_command() -> list[str]:
    """What the HEALTHCHECK runs, with this Python."""
    options, _, command = last("HEALTHCHECK").partition(" CMD ")
    assert "--start-period=" in options
    words: list[str] = json.loads(command)
    assert words[0] == "python"
    return [sys.executable, *words[1:]]


@contextmanager
def answering(status: int) -> Iterator[tuple[int, list[str]]]:
    """A server on a free port that answers everything so; its port, and the paths that it was asked for."""
    asked: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(status)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_address[1], asked
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(("status", "healthy"), [(200, True), (503, False), (404, False), (500, False)])
def test_the_health_check_tells_by_the_status(status: int, healthy: bool) -> None:
    """Run against a server that answers so: exit 0 for 200 alone, whatever proxy the container is told to use."""
    with answering(status) as (port, asked):
        variables = {**os.environ, "MIRAGE_PORT": str(port), "http_proxy": "http://127.0.0.1:9"}
        done = subprocess.run(health_command(), env=variables, capture_output=True)
    assert (done.returncode == 0) == healthy
    assert asked == ["/health/ready"]


def test_the_health_check_fails_where_nobody_listens() -> None:
    with answering(200) as (port, _):
        pass
    done = subprocess.run(health_command(), env={**os.environ, "MIRAGE_PORT": str(port)}, capture_output=True)
    assert done.returncode != 0


def test_what_the_health_check_asks_for_is_there() -> None:
    app = create_app(Settings(_env_file=None, models=("imagenet/mobilenet_v2",)))
    assert {"/health/ready", "/health/live"} <= set(app.openapi()["paths"])


# The services


def mounts(service: str) -> dict[str, tuple[str, bool]]:
    """Target -> source and whether it is read-only."""
    found = {}
    for mount in SERVICES[service]["volumes"]:
        # A source may have a default, ${NAME:-value}, whose colon is no separator.
        match = re.fullmatch(r"(\$\{\w+:-(?P<default>[^}]*)\}|(?P<plain>[^:]*)):(?P<target>[^:]*)(?P<ro>:ro)?", mount)
        assert match is not None, mount
        found[match["target"]] = (match["default"] or match["plain"], match["ro"] is not None)
    return found


def test_services_and_their_profiles() -> None:
    """No service starts unasked, and each profile starts one."""
    assert {name: each["profiles"] for name, each in SERVICES.items()} == {
        "serve": ["gpu"],
        "serve-cpu": ["cpu"],
        "train": ["train"],
        "train-cpu": ["train-cpu"],
    }


@pytest.mark.parametrize("name", [*SERVING, *TRAINING])
def test_every_service_is_locked_down(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["tmpfs"] == ["/tmp"]
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert "privileged" not in service


@pytest.mark.parametrize("name", [*SERVING, *TRAINING])
def test_the_gpu_is_asked_for_where_it_is_meant(name: str) -> None:
    service, gpu = SERVICES[name], not name.endswith("-cpu")
    assert ("deploy" in service) == gpu
    if gpu:
        (device,) = service["deploy"]["resources"]["reservations"]["devices"]
        assert (device["driver"], device["capabilities"]) == ("nvidia", ["gpu"])
        assert (service["image"], service["build"]) == ("mirage:gpu", ".")
    else:
        assert service["image"] == "mirage:cpu"
        assert service["build"] == {"context": ".", "args": {"TORCH_BACKEND": "cpu"}}
        assert ("ARG", "TORCH_BACKEND=") in stages()[1]


@pytest.mark.parametrize("name", SERVING)
def test_the_service_is_published_on_this_machine_alone(name: str) -> None:
    assert SERVICES[name]["ports"] == [f"127.0.0.1:{Settings.model_fields['port'].default}:{last('EXPOSE')}"]
    assert "network_mode" not in SERVICES[name]


@pytest.mark.parametrize("name", SERVING)
def test_the_services_settings_are_settings(name: str) -> None:
    """Those that compose sets fit the image and the mounts, and win over what a .env says."""
    given = SERVICES[name]["environment"]
    assert {key.removeprefix("MIRAGE_").lower() for key in given} <= set(Settings.model_fields)
    assert given["MIRAGE_HOST"] == "0.0.0.0"
    assert str(given["MIRAGE_PORT"]) == last("EXPOSE")
    source, read_only = mounts(name)[given["MIRAGE_CHECKPOINTS"]]
    assert read_only
    assert (REPOSITORY / source).resolve() == BUNDLED.resolve()


@pytest.mark.parametrize("name", SERVING)
def test_only_the_cache_of_weights_can_be_written(name: str) -> None:
    """It is where torchvision looks, and outlives the container."""
    writable = {target: source for target, (source, read_only) in mounts(name).items() if not read_only}
    assert writable == {environment()["TORCH_HOME"]: "torch"}
    assert "torch" in COMPOSE["volumes"]
    (made,) = [rest for instruction, rest in stages()[-1] if instruction == "RUN"]
    assert f"install -d -o mirage -g mirage {environment()['TORCH_HOME']}" in made


@pytest.mark.parametrize("name", SERVING)
def test_requests_may_finish_before_the_service_is_killed(name: str) -> None:
    grace = SERVICES[name]["stop_grace_period"]
    assert int(grace.removesuffix("s")) > Settings.model_fields["deadline_s"].default


@pytest.mark.parametrize("name", TRAINING)
def test_training_is_offline_and_writes_its_output_alone(name: str) -> None:
    service = SERVICES[name]
    assert service["network_mode"] == "none"
    assert "ports" not in service
    read_only = {target: each for target, (_, each) in mounts(name).items()}
    assert read_only == {"/data": True, "/output": False, environment()["TORCH_HOME"]: True}
    assert service["working_dir"] == "/output", "where the run folder is made"
    assert service["entrypoint"][:2] == ["python", "-m"]
    assert importlib.util.find_spec(f"{service['entrypoint'][2]}.__main__") is not None


def test_the_command_that_compose_explains_is_understood() -> None:
    """Its options exist: `fit` with --help in its place prints help that names --output."""
    text = (REPOSITORY / "docker-compose.yml").read_text(encoding="utf-8")
    (command,) = re.findall(r"# docker compose run --rm train (.*)", text)
    assert command.split()[2:] == ["--output", "/output/model.safetensors"]
    variables = {**os.environ, "NO_COLOR": "1", "TERM": "dumb", "COLUMNS": "200"}
    asked = [sys.executable, "-m", "training", command.split()[0], "--help"]
    told = subprocess.run(asked, cwd=REPOSITORY, env=variables, check=True, capture_output=True, text=True)
    assert "--output" in told.stdout


# The locks


Pins = dict[str, list[tuple[Version, str]]]


def locked(name: str) -> Pins:
    """Package -> versions with their markers (there may be one per Python); every line is a pin or its hash."""
    found: Pins = {}
    hashes = 1
    for line in (REPOSITORY / name).read_text(encoding="utf-8").splitlines():
        if pin := re.fullmatch(r"([a-z0-9-]+)==([^ ;]+)(?: ; ([^\\]+))? \\", line):
            assert hashes > 0, f"a package before {pin[1]} has no hash"
            found.setdefault(pin[1], []).append((Version(pin[2]), pin[3] or ""))
            hashes = 0
        else:
            assert re.fullmatch(r"    --hash=sha256:[0-9a-f]{64}( \\)?", line), line
            hashes += 1
    assert hashes > 0
    return found


@pytest.mark.parametrize("lock", LOCKS)
def test_every_package_is_pinned_by_hash_and_from_no_address(lock: str) -> None:
    """Nothing but names, versions, markers and hashes: where packages come from is for the installer to know."""
    pins = locked(lock)
    assert len(pins) >= 5
    for name, versions in pins.items():
        assert len(versions) == 1 or all(marker for _, marker in versions), name


@pytest.mark.parametrize(
    ("lock", "requirements"),
    [
        ("requirements.lock", PYPROJECT["project"]["dependencies"]),
        ("requirements-dev.lock", PYPROJECT["project"]["dependencies"]),
        ("requirements-dev.lock", PYPROJECT["project"]["optional-dependencies"]["dev"]),
        ("requirements-install.lock", PYPROJECT["dependency-groups"]["install"]),
        ("requirements-install.lock", PYPROJECT["build-system"]["requires"]),
    ],
    ids=["serving", "serving in dev", "dev", "install", "build"],
)
def test_the_locks_fit_the_projects_ranges(lock: str, requirements: list[str]) -> None:
    """Run `make lock` after a change to pyproject.toml."""
    pins = locked(lock)
    for requirement in map(Requirement, requirements):
        name = canonicalize_name(requirement.name)
        if name == PYPROJECT["project"]["name"]:  # `dev` takes the extras of training too
            extras = PYPROJECT["project"]["optional-dependencies"]
            test_the_locks_fit_the_projects_ranges(
                lock, [each for extra in requirement.extras for each in extras[extra]]
            )
            continue
        assert name in pins, f"{name} is not in {lock}: run make lock"
        for version, _ in pins[name]:
            assert version in requirement.specifier, f"{name} {version}: run make lock"


def test_tests_run_on_what_is_served() -> None:
    """Every version of the runtime lock is the development lock's."""
    serving, developing = locked("requirements.lock"), locked("requirements-dev.lock")
    assert {name: developing.get(name) for name in serving} == serving


def test_the_image_gets_no_test_tools() -> None:
    dev = {canonicalize_name(Requirement(each).name) for each in PYPROJECT["project"]["optional-dependencies"]["dev"]}
    assert dev & set(locked("requirements.lock")) == set()


# make


def make(*words: str, cwd: Path = REPOSITORY, check: bool = True) -> subprocess.CompletedProcess[str]:
    variables = {name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS")}
    return subprocess.run(["make", *words], cwd=cwd, env=variables, check=check, capture_output=True, text=True)


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """What set-up needs of a fresh clone."""
    for name in ("Makefile", "pyproject.toml", *LOCKS):
        shutil.copy(REPOSITORY / name, tmp_path / name)
    return tmp_path


def test_make_alone_lists_every_target_in_a_line() -> None:
    listed = {line.split()[1]: line.split()[2:] for line in make().stdout.splitlines()}
    assert {"serve", "test", "check", "train", "bench"} <= set(listed)
    assert all(len(words) > 2 for name, words in listed.items() if name != "help")
    text = (REPOSITORY / "Makefile").read_text(encoding="utf-8")
    (phony,) = re.findall(r"^\.PHONY: (help .*)$", text, flags=re.MULTILINE)
    assert set(listed) == set(phony.split()) - {"dependencies"}


@pytest.mark.parametrize(
    ("goal", "lock", "ends"),
    [
        ("serve", "requirements.lock", "-m app"),
        ("test", "requirements-dev.lock", "--dist worksteal"),
        ("check", "requirements-dev.lock", "lint-imports"),
        ("bench", "requirements-dev.lock", "-m benchmarks"),
    ],
)
def test_each_target_sets_itself_up_in_a_fresh_clone(clone: Path, goal: str, lock: str, ends: str) -> None:
    """In this order: virtual environment, installer by hash, packages by hash, the project, then the command."""
    told = make("-n", goal, cwd=clone).stdout
    steps = ["-m venv", "--require-hashes -r requirements-install.lock", f"--require-hashes -r {lock}", ends]
    places = [told.find(step) for step in steps]
    assert -1 not in places
    assert places == sorted(places)
    assert "--no-deps --no-build-isolation --editable ." in told
    assert told.strip().endswith(ends)


def test_nothing_is_set_up_twice(clone: Path) -> None:
    """With everything older than its stamp, `make test` is pytest alone; a changed lock is installed again."""
    ready = make("-n", "test", "-o", ".venv/dev-ready", cwd=clone).stdout
    assert ready.startswith(".venv/bin/python -m pytest") and ready.count("\n") == 1
    stamps = [".venv/installer", ".venv/dependencies", ".venv/serve-ready", ".venv/dev-ready"]
    (clone / ".venv" / "bin").mkdir(parents=True)
    # A virtual environment that works, for all that make can tell.
    (clone / ".venv" / "bin" / "python").symlink_to(shutil.which("true") or "/bin/true")
    for age, name in enumerate([*LOCKS, "pyproject.toml", *stamps]):
        (clone / name).touch()
        os.utime(clone / name, (1_000_000 + age, 1_000_000 + age))
    assert make("-n", "test", cwd=clone).stdout == ready
    (clone / "requirements-dev.lock").touch()
    told = make("-n", "test", cwd=clone).stdout
    assert "-r requirements-dev.lock" in told
    assert "-r requirements.lock" not in told
    assert "-m venv" not in told


def test_without_a_python_make_says_what_to_install(clone: Path) -> None:
    done = make("PYTHON=", "serve", cwd=clone, check=False)
    assert done.returncode != 0
    assert "No Python 3.11 or newer" in done.stderr
    assert not (clone / ".venv").exists()


def test_training_without_data_says_how(clone: Path) -> None:
    for words in ([], ["DATA=photos.zip"], ["OUTPUT=model.safetensors"]):
        done = make("train", *words, "-o", ".venv/serve-ready", cwd=clone, check=False)
        assert done.returncode != 0
        assert "make train DATA=photos.zip OUTPUT=model.safetensors" in done.stderr


def test_training_passes_its_words_on() -> None:
    """Names with spaces in them stay whole."""
    words = ["train", "DATA=my photos", "OUTPUT=my model.safetensors", "ARGS=--epochs 0", "-o", ".venv/serve-ready"]
    told = make("-n", *words).stdout.splitlines()[-1]
    assert shlex.split(told)[3:] == ["fit", "my photos", "--output", "my model.safetensors", "--epochs", "0"]


@pytest.mark.parametrize("lock", ["requirements.lock", "requirements-dev.lock"])
def test_another_build_of_pytorch_replaces_only_pytorch(clone: Path, lock: str) -> None:
    """Its own packages at the lock's versions, without the registry's CUDA; all others still by their hashes."""
    told = make("-n", ".venv/dev-ready", "TORCH_BACKEND=cpu", cwd=clone).stdout.replace("\\\n", " ")
    (torch,) = [line for line in told.splitlines() if "--torch-backend=cpu" in line]
    assert "--no-deps" in torch
    (pins,) = re.findall(r"\$\((sed .*)\)", torch)
    shown = subprocess.run(pins, shell=True, cwd=clone, check=True, capture_output=True, text=True)
    versions = locked("requirements.lock")
    assert shown.stdout.split() == [f"{name}=={versions[name][0][0]}" for name in ("torch", "torchvision")]

    (rest,) = [line for line in told.splitlines() if line.startswith("awk ") and f" {lock} >" in line]
    command, _, install = rest.partition(" && ")
    (clone / ".venv").mkdir()
    subprocess.run(command, shell=True, cwd=clone, check=True)
    assert install.endswith(f"--require-hashes -r .venv/{lock}")
    shutil.copy(clone / ".venv" / lock, clone / "left.lock")
    whole = locked(lock)
    left = locked(str(clone / "left.lock"))
    assert left == {name: whole[name] for name in left}
    cut = set(whole) - set(left)
    assert {"torch", "torchvision", "triton"} <= cut
    assert all(re.match(r"torch|torchvision|triton|nvidia-|cuda-", name) for name in cut)
    assert not any(re.match(r"torch|triton|nvidia|cuda", name) for name in left)


# What must hold before a change lands


@pytest.mark.parametrize(
    ("failing", "asked"),
    [
        ("", ["oracles", "test", "check"]),
        ("oracles", ["oracles", "test", "check"]),
        ("test", ["oracles", "test"]),
        ("check", ["oracles", "test", "check"]),
    ],
)
def test_ci_runs_the_tests_and_then_the_checks(tmp_path: Path, failing: str, asked: list[str]) -> None:
    """With a stand-in for make that writes down what it is asked and may fail."""
    stub = tmp_path / "make"
    stub.write_text(f'#!/bin/sh\nfor goal; do :; done\necho "$goal" >> {tmp_path}/asked\n[ "$goal" != "{failing}" ]\n')
    stub.chmod(0o755)
    variables = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    done = subprocess.run(["bash", ".ci/run"], cwd=REPOSITORY, env=variables, capture_output=True, text=True)
    assert (tmp_path / "asked").read_text().split() == asked
    # Without other libraries to compare with, the tests that do are skipped.
    assert (done.returncode == 0) == (failing in ("", "oracles"))
    assert "== make test ==" in done.stdout


# The wheel


def test_the_wheel_holds_the_packages_and_their_data(tmp_path: Path) -> None:
    """Everything that lies in the three packages but bytecode, the licence, and nothing of the tests."""
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(command, cwd=REPOSITORY, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    version = PYPROJECT["project"]["version"]
    assert wheel.name == f"mirage_vision-{version}-py3-none-any.whl"
    wanted = {
        str(file.relative_to(REPOSITORY))
        for package in ("app", "models", "training")
        for file in (REPOSITORY / package).rglob("*")
        if file.is_file() and "__pycache__" not in file.parts
    }
    assert "models/imagenet_synonyms.txt" in wanted
    metadata = f"mirage_vision-{version}.dist-info/"
    assert {name for name in names if not name.startswith(metadata)} == wanted
    assert f"{metadata}licenses/LICENSE" in names


def test_the_version_is_in_the_changelog() -> None:
    text = (REPOSITORY / "CHANGELOG.md").read_text(encoding="utf-8")
    assert f"\n## [{PYPROJECT['project']['version']}]" in text

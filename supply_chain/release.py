"""Check that the project can be released: python -m supply_chain.release.

It builds the source distributions of the service and of the client, builds each wheel from its source distribution as
an installer may do, installs each wheel alone into an empty environment, and tries there what users try first: the
service starts in an empty folder, and the client classifies and changes a picture on it. The packages that both need
come from the package index, at the versions of the locks. Nothing is published.
"""

import contextlib
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from PIL import Image

from models.version import project_version

REPOSITORY = Path(__file__).parents[1]
PROJECTS = {"mirage-vision": REPOSITORY, "mirage-client": REPOSITORY / "client"}
"""The distributions and the folders of their pyproject.toml."""
HEADINGS = ("Added", "Changed", "Deprecated", "Removed", "Fixed", "Security")
"""Headings of the changelog, as Keep a Changelog has them."""
START_S = 300
"""Seconds for the service to start: PyTorch is imported from files that no one has read before."""


class NotReady(Exception):
    """The project cannot be released as it is; the text says what to change."""


@dataclass(frozen=True)
class Environment:
    """A virtual environment in which one wheel was installed, with what it needs and nothing else."""

    folder: Path

    def program(self, name: str) -> str:
        """The path of a program in the environment."""
        return str(self.folder / ("Scripts" if os.name == "nt" else "bin") / name)

    def run(self, *command: str, cwd: Path) -> str:
        """Run a program of the environment and return its output. Raises NotReady if it fails."""
        return run(self.program(command[0]), *command[1:], cwd=cwd)


def main() -> int:
    """Run all checks; print each, and return 0 if the project can be released, or else 1."""
    try:
        with tempfile.TemporaryDirectory(prefix="mirage-release-") as folder:
            check(Path(folder))
    except NotReady as error:
        print(f"not ready for a release: {error}", file=sys.stderr)
        return 1
    print("ready for a release")
    return 0


def check(folder: Path) -> None:
    """All checks, with their files in an empty folder. Raises NotReady."""
    version = project_version()
    check_changelog((REPOSITORY / "CHANGELOG.md").read_text(encoding="utf-8"), version)
    wheels = {name: build(project, folder / name, version) for name, project in PROJECTS.items()}
    client = install(wheels["mirage-client"], folder / "client")
    seconds = min(timed(client.program("python"), "-c", "import mirage", cwd=folder) for _ in range(3))
    print(f"import mirage takes {seconds:.2f} s, the start of Python included")
    expect(client.run("mirage", "--version", cwd=folder).strip() == f"mirage {version}", "mirage --version is another")
    service = install(wheels["mirage-vision"], folder / "service")
    service.run("python", "-m", "training", "--help", cwd=folder)
    check_shadows(service, folder / "shadowed")
    with started(service, folder / "working-directory") as url:
        try_client(client, url, folder)


def check_changelog(text: str, version: str) -> None:
    """The newest section is of this version, with a date or `unreleased`, and has entries below known headings."""
    sections = re.findall(r"^## \[(.+?)\] - (.+)$", text, flags=re.MULTILINE)
    expect(bool(sections) and sections[0][0] == version, f"the newest section of CHANGELOG.md is not of {version}")
    when = sections[0][1]
    if when == "unreleased":
        print(f"CHANGELOG.md says that {version} is unreleased: put today's date there before the release")
    else:
        try:
            date.fromisoformat(when)
        except ValueError as error:
            raise NotReady(f"CHANGELOG.md has {when!r} where a date such as 2026-01-31 has to be") from error
    newest = re.split(r"^## ", text, flags=re.MULTILINE)[1]
    headings = re.findall(r"^### (.+)$", newest, flags=re.MULTILINE)
    expect(bool(headings) and set(headings) <= set(HEADINGS), f"its headings have to be among {', '.join(HEADINGS)}")
    for part in re.split(r"^### ", newest, flags=re.MULTILINE)[1:]:
        expect("\n- " in part, f"the heading {part.splitlines()[0]!r} of CHANGELOG.md has no entries")


def build(project: Path, folder: Path, version: str) -> Path:
    """The wheel of a project, built from its source distribution; both are whole and have the version."""
    run(sys.executable, "-m", "hatchling", "build", "-t", "sdist", "-d", str(folder), cwd=project)
    (archive,) = folder.glob("*.tar.gz")
    run("tar", "-xzf", archive.name, cwd=folder)
    source = folder / archive.name.removesuffix(".tar.gz")
    run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder), cwd=source)
    (wheel,) = folder.glob("*.whl")
    expect(f"-{version}-" in wheel.name, f"{wheel.name} is not of the version {version}")
    print(f"built {archive.name} ({archive.stat().st_size / 1e6:.2f} MB) and {wheel.name}")
    return wheel


def install(wheel: Path, folder: Path) -> Environment:
    """Install a wheel into a new environment, with what it needs at the versions of the lock."""
    environment = Environment(folder)
    run("uv", "venv", "--quiet", "--python", sys.executable, str(folder), cwd=wheel.parent)
    begun = time.monotonic()
    backend = os.environ.get("TORCH_BACKEND")
    lock = REPOSITORY / "requirements.lock"
    # Without the hashes: the lock has those of one build of PyTorch, and TORCH_BACKEND may have chosen another.
    constraints = wheel.parent / "constraints.txt"
    pins = [line.rstrip(" \\") for line in lock.read_text(encoding="utf-8").splitlines() if "==" in line]
    constraints.write_text("\n".join(pins) + "\n", encoding="utf-8")
    command = ["uv", "pip", "install", "--quiet", "--python", environment.program("python")]
    command += ["--constraints", str(constraints), *(["--torch-backend", backend] if backend else []), str(wheel)]
    run(*command, cwd=wheel.parent)
    print(f"installed {wheel.name} in {time.monotonic() - begun:.1f} s")
    return environment


def check_shadows(service: Environment, folder: Path) -> None:
    """In a folder with a package `models` of the user's own, the service says so and does not start half."""
    (folder / "models").mkdir(parents=True)
    (folder / "models" / "__init__.py").touch()
    for module in ("app", "training"):
        done = subprocess.run([service.program("python"), "-c", f"import {module}"], cwd=folder, capture_output=True)
        expect(done.returncode != 0 and b"python -P" in done.stderr, f"{module} does not notice another `models`")
        service.run("python", "-P", "-c", f"import {module}", cwd=folder)


@contextlib.contextmanager
def started(service: Environment, folder: Path) -> Iterator[str]:
    """Start the service in an empty folder, on any free port; gives its address."""
    folder.mkdir()
    settings = {"MIRAGE_PORT": "0", "MIRAGE_CACHE": str(folder / "cache"), "PYTHONUNBUFFERED": "1"}
    log = folder / "service.log"
    with (
        log.open("wb") as output,
        subprocess.Popen(
            [service.program("python"), "-m", "app"], cwd=folder, stdout=output, stderr=subprocess.STDOUT,
            env={**os.environ, **settings},
        ) as process,
    ):  # fmt: skip
        try:
            until = time.monotonic() + START_S
            while not (address := re.search(r"http://127\.0\.0\.1:\d+/docs", log.read_text(encoding="utf-8"))):
                expect(process.poll() is None and time.monotonic() < until, f"it does not start: {log.read_text()}")
                time.sleep(0.2)
            yield address[0].removesuffix("/docs")
        finally:
            process.terminate()
            process.wait(60)


def try_client(client: Environment, url: str, folder: Path) -> None:
    """What the README shows first: classify a picture, change it, and draw an ideal one."""
    photo = folder / "photo.png"
    Image.radial_gradient("L").convert("RGB").save(photo)
    first = client.run("mirage", "classify", photo.name, "--url", url, "--format", "csv", "--top", "2", cwd=folder)
    classes = first.splitlines()[1].split(",")[5:9:2]
    client.run("mirage", "fool", photo.name, "--as", classes[1], "-o", "fooled.png", "--url", url, cwd=folder)
    again = client.run("mirage", "classify", "fooled.png", "--url", url, "--format", "csv", "--top", "1", cwd=folder)
    expect(again.splitlines()[1].split(",")[5] == classes[1], "the changed picture is not classified as its target")
    client.run("mirage", "ideal", "cat", "--effort", "quick", "-o", "cat.png", "--url", url, cwd=folder)
    print(f"the client turned {classes[0]} into {classes[1]} and drew a cat")


def run(*command: str, cwd: Path) -> str:
    """Run a command and return its output. Raises NotReady with what it said if it fails."""
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, env={**os.environ, "PATH": _path()})
    expect(done.returncode == 0, f"{' '.join(command)} failed:\n{done.stdout}{done.stderr}")
    return done.stdout


def timed(*command: str, cwd: Path) -> float:
    """Seconds that a command takes."""
    begun = time.monotonic()
    run(*command, cwd=cwd)
    return time.monotonic() - begun


def _path() -> str:
    """The search path with uv, which is installed beside this Python."""
    return os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])


def expect(condition: bool, message: str) -> None:
    """Raise NotReady with the message unless the condition holds."""
    if not condition:
        raise NotReady(message)


if __name__ == "__main__":
    sys.exit(main())

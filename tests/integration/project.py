"""The files that set the project up, as the tests read them: pyproject.toml, the Dockerfile and the locks."""

import re
import shlex
import tomllib
from pathlib import Path

from packaging.version import Version

REPOSITORY = Path(__file__).parents[2]
PYPROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))
LOCKS = (
    *("requirements-install.lock", "requirements.lock", "requirements-dev.lock", "requirements-audit.lock"),
    *("requirements-soak.lock", "requirements-docs.lock"),
)
CLIENT = tomllib.loads((REPOSITORY / "client" / "pyproject.toml").read_text(encoding="utf-8"))
"""The pyproject.toml of the client."""
PAGE = REPOSITORY / "app" / "page"
"""The folder of the web page: a Python package, the files that are served, and tools for work on them."""
INSTRUCTIONS = {"ARG", "FROM", "RUN", "ENV", "WORKDIR", "COPY", "USER", "EXPOSE", "HEALTHCHECK", "CMD"}
"""The instructions that the Dockerfile may use; `stages` refuses any other."""


def is_tool(path: Path) -> bool:
    """Whether a file is a tool for work on the web page: neither the wheel nor the image has it."""
    return path.is_relative_to(PAGE) and not (path.suffix == ".py" or path.is_relative_to(PAGE / "files"))


def stages() -> list[list[tuple[str, str]]]:
    """The Dockerfile's instructions per stage, the ARGs before the first FROM as a stage of their own."""
    lines = (REPOSITORY / "Dockerfile").read_text(encoding="utf-8").splitlines()
    text = "\n".join(line for line in lines if not line.lstrip().startswith("#"))
    parsed: list[list[tuple[str, str]]] = [[]]
    for line in filter(None, text.replace("\\\n", " ").splitlines()):
        instruction, _, rest = line.partition(" ")
        assert instruction in INSTRUCTIONS, line
        if instruction == "FROM":
            parsed.append([])
        parsed[-1].append((instruction, re.sub(r"\s+", " ", rest).strip()))
    return parsed


def last(instruction: str) -> str:
    """The value of the final stage's one instruction of this kind."""
    (value,) = [rest for name, rest in stages()[-1] if name == instruction]
    return value


def environment() -> dict[str, str]:
    """The final stage's ENV."""
    return dict(word.partition("=")[::2] for word in shlex.split(last("ENV")))


Pins = dict[str, list[tuple[Version, str]]]


def locked(name: str) -> Pins:
    """Package -> versions with their markers (there may be one per Python); every line is a pin or its hash."""
    pins: Pins = {}
    hashes = 1
    for line in (REPOSITORY / name).read_text(encoding="utf-8").splitlines():
        if pin := re.fullmatch(r"([a-z0-9-]+)==([^ ;]+)(?: ; ([^\\]+))? \\", line):
            assert hashes > 0, f"a package before {pin[1]} has no hash"
            pins.setdefault(pin[1], []).append((Version(pin[2]), pin[3] or ""))
            hashes = 0
        else:
            assert re.fullmatch(r"    --hash=sha256:[0-9a-f]{64}( \\)?", line), line
            hashes += 1
    assert hashes > 0
    return pins

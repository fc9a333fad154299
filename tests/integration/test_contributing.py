"""The examples of CONTRIBUTING.md work as they are written: an attack, an ideal method and an endpoint."""

import re
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from tests.integration.project import REPOSITORY


def examples() -> list[str]:
    """The Python blocks of the page, in its order."""
    page = (REPOSITORY / "CONTRIBUTING.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^ +```python\n(.*?)^ +```$", page, flags=re.DOTALL | re.MULTILINE)
    return [textwrap.dedent(block) for block in blocks]


def insert(path: Path, text: str, *, before: str) -> None:
    """Put the text before the one place in the file that begins with `before`."""
    content = path.read_text(encoding="utf-8")
    assert content.count(before) == 1, f"{before!r} in {path.name}"
    path.write_text(content.replace(before, text + before), encoding="utf-8")


@pytest.mark.slow
def test_the_examples_pass_lint_and_their_tests(tmp_path: Path) -> None:
    """In a copy of the tree, changed as the numbered steps say, the examples pass lint and their own tests."""
    for name in ("app", "models", "tests"):
        unneeded = shutil.ignore_patterns("__pycache__", "node_modules")
        shutil.copytree(REPOSITORY / name, tmp_path / name, ignore=unneeded)
    shutil.copy(REPOSITORY / "pyproject.toml", tmp_path)
    attack, entry, attack_test, _, method, method_entry, method_test, *endpoint = examples()
    request, response, route, route_test = endpoint
    files = {
        "models/attacks/methods/random_sign.py": attack,
        "tests/models/attacks/methods/test_random_sign.py": attack_test,
        "models/ideal/coarse.py": method,
        "tests/models/ideal/test_coarse.py": method_test,
        "app/operations/entropy.py": route,
        "tests/app/operations/test_entropy.py": route_test,
    }
    for path, text in files.items():
        (tmp_path / path).write_text(text, encoding="utf-8")
    attacks, methods = tmp_path / "models/attacks/options.py", tmp_path / "models/ideal/options.py"
    insert(
        attacks,
        "from models.attacks.methods.random_sign import random_sign\n",
        before="from models.attacks.methods.sig",
    )
    insert(attacks, textwrap.indent(entry, "    "), before='    "square": Attack(')
    insert(methods, "from models.ideal.coarse import Coarse\n", before="from models.ideal.fourier import")
    insert(methods, textwrap.indent(method_entry, "    "), before='    "pixel": Method(')
    for path, text in {"requests": request, "responses": response}.items():
        with (tmp_path / f"app/operations/{path}.py").open("a", encoding="utf-8") as file:
            file.write(f"\n\n{text}")
    insert(tmp_path / "app/main.py", "entropy, ", before="health, metrics, models\n")
    insert(tmp_path / "app/main.py", "entropy, ", before="metrics):\n")
    insert(tmp_path / "app/openapi_document.py", "    EntropyOptions,\n", before="    AdversarialOptions,\n")
    insert(tmp_path / "app/openapi_document.py", "EntropyOptions, ", before="ClassifyOptions\nfrom")
    python = [sys.executable, "-m"]
    tests = [path for path in files if path.startswith("tests/")]
    subprocess.run([*python, "ruff", "check", "--extend-ignore", "I001", *files], cwd=tmp_path, check=True)
    subprocess.run([*python, "pytest", "-q", *tests], cwd=tmp_path, check=True)

"""The variable MIRAGE_ARCHITECTURES: what it registers, and how the commands end where it is wrong."""

import sys
from pathlib import Path

import pytest

from models.architectures import registered
from training.commands.register import register_architectures

MODULE = """
from torch import nn

def architectures():
    return {NAME: lambda classes: nn.Linear(2, classes)}
"""


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The working directory is empty and not in the search path, and what is registered is forgotten at the end."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(registered, "_added", {})
    monkeypatch.setattr(sys, "path", [place for place in sys.path if place])


def test_modules_of_the_working_directory_are_registered(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Several are separated by commas."""
    for name in ("first_of_mine", "second_of_mine"):
        (tmp_path / f"{name}.py").write_text(MODULE.replace("NAME", repr(name)))
    functions = "first_of_mine:architectures, second_of_mine:architectures,"
    monkeypatch.setenv("MIRAGE_ARCHITECTURES", functions)
    register_architectures()
    assert {"first_of_mine", "second_of_mine"} <= set(registered.registered())
    assert registered.build("second_of_mine", 5).out_features == 5


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("no_such_module_of_mine:architectures", "cannot be imported: No module named 'no_such_module_of_mine'"),
        ("math:architectures", "cannot be imported: module 'math' has no attribute 'architectures'"),
        ("math", "architectures are registered by package.module:function, not by 'math'"),
        ("math:pi", "math:pi is no function without arguments"),
    ],
)
def test_a_wrong_value_ends_the_command_with_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], value: str, reason: str
) -> None:
    """And with exit code 2, as a wrong option does."""
    monkeypatch.setenv("MIRAGE_ARCHITECTURES", value)
    with pytest.raises(SystemExit) as ended:
        register_architectures()
    assert ended.value.code == 2
    output = capsys.readouterr()
    assert output.out == "" and output.err.startswith("error: MIRAGE_ARCHITECTURES: ") and reason in output.err

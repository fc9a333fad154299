"""Networks of the user's own: what registers them, and what is said where that goes wrong."""

import logging
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from zlib import crc32

import pytest
from torch import nn

from models.architectures import BadRegistration, UnknownArchitecture, registered
from models.architectures.registered import GROUP, build, register


@pytest.fixture(autouse=True)
def forgotten(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """Nothing is registered at the beginning, and modules of `tmp_path` can be imported."""
    monkeypatch.setattr(registered, "_added", {})
    monkeypatch.syspath_prepend(tmp_path)
    registered._of_packages.cache_clear()
    yield
    registered._of_packages.cache_clear()


def write(folder: Path, name: str, code: str) -> str:
    """Write a module, and return the name of its function."""
    (folder / f"{name}.py").write_text(code)
    return f"{name}:architectures"


def packages(monkeypatch: pytest.MonkeyPatch, **values: str) -> None:
    """Install packages that have these entry points."""
    entries = [metadata.EntryPoint(name, value, GROUP) for name, value in values.items()]
    monkeypatch.setattr(metadata, "entry_points", lambda group: entries if group == GROUP else [])
    registered._of_packages.cache_clear()


LINEAR = "from torch import nn\ndef architectures(): return {NAME: lambda classes: nn.Linear(2, classes)}"


def test_a_function_is_registered_by_its_name(tmp_path: Path) -> None:
    register(write(tmp_path, "mine_by_name", LINEAR.replace("NAME", "'mine'")))
    network = build("mine", 7)
    assert isinstance(network, nn.Linear) and network.out_features == 7


def test_packages_register_by_entry_points(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What is registered by name takes precedence, so that a network under development can replace an installed one."""
    packages(monkeypatch, networks=write(tmp_path, "mine_of_a_package", LINEAR.replace("NAME", "'installed'")))
    assert list(registered.registered()) == ["installed"] and build("installed", 3).out_features == 3
    code = "from torch import nn\ndef architectures(): return {'installed': lambda classes: nn.Conv2d(3, classes, 1)}"
    register(write(tmp_path, "mine_under_development", code))
    assert isinstance(build("installed", 3), nn.Conv2d)


@pytest.mark.parametrize(
    "value",
    ["no_such_package_of_mine:architectures", "math:pi", "math:no_function", "broken_package_of_mine:architectures"],
)
def test_a_broken_package_is_logged_and_does_not_stop_the_others(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture, value: str
) -> None:
    write(tmp_path, "broken_package_of_mine", "1 / 0")
    good = write(tmp_path, "mine_beside_a_broken_one", LINEAR.replace("NAME", "'good'"))
    packages(monkeypatch, broken=value, good=good)
    with caplog.at_level(logging.ERROR):
        assert list(registered.registered()) == ["good"]
    assert f"the entry point broken = {value} of the group {GROUP} cannot be used" in caplog.text


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("", "architectures are registered by package.module:function, not by ''"),
        ("module_alone", "architectures are registered by package.module:function, not by 'module_alone'"),
        (":function", "architectures are registered by package.module:function, not by ':function'"),
        ("no_such_module_of_mine:architectures", "cannot be imported: No module named 'no_such_module_of_mine'"),
        ("math:architectures", "cannot be imported: module 'math' has no attribute 'architectures'"),
        (".relative:architectures", "cannot be imported: TypeError: the 'package' argument is required"),
        ("math:pi", "math:pi is no function without arguments that returns a mapping from names to functions"),
        ("math:sqrt", "math:sqrt cannot be called without arguments: TypeError"),
        ("time:time", "time:time is no function without arguments that returns a mapping"),
    ],
)
def test_what_is_no_registration_is_refused(source: str, reason: str) -> None:
    with pytest.raises(BadRegistration) as refused:
        register(source)
    assert reason in str(refused.value)


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("def architectures(:", "cannot be imported: SyntaxError"),
        ("raise ValueError('no licence')", "cannot be imported: ValueError: no licence"),
        ("def architectures(): return ['a']", "is no function without arguments that returns a mapping"),
        ("def architectures(): return {'a': 5}", "is no function without arguments that returns a mapping"),
        ("def architectures(): return {'': print}", "is no function without arguments that returns a mapping"),
        ("def architectures(): return {5: print}", "is no function without arguments that returns a mapping"),
        ("def architectures(): raise OSError('no disk')", "cannot be called without arguments: OSError: no disk"),
        ("def architectures(): return {'resnet18': print}", "registers resnet18: choose names without a slash"),
        ("def architectures(): return {'timm/x': print}", "registers timm/x: choose names without a slash"),
        ("def architectures(): return {'exported': print}", "registers exported: choose names without a slash"),
    ],
)
def test_modules_with_mistakes_are_refused(tmp_path: Path, code: str, reason: str) -> None:
    """Whatever is wrong with a module, the message has its name."""
    name = f"mine_{crc32(code.encode())}"
    with pytest.raises(BadRegistration) as refused:
        register(write(tmp_path, name, code))
    assert reason in str(refused.value) and name in str(refused.value)
    assert registered.registered() == {}


def test_a_network_that_cannot_be_built_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    added = {"few": lambda classes: nn.Linear(2, 3 if classes < 5 else int("many")), "none": lambda classes: None}
    monkeypatch.setattr(registered, "_added", added)
    assert build("few", 3)
    with pytest.raises(BadRegistration, match=r"registered for few fails for 9 classes \(ValueError: invalid"):
        build("few", 9)
    with pytest.raises(BadRegistration, match=r"registered for none returned no torch\.nn\.Module"):
        build("none", 3)
    with pytest.raises(UnknownArchitecture, match="no architecture 'many' is registered"):
        build("many", 3)

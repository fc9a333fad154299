"""Tests how the registry follows links, and folders that vanish; and that its thread does not end."""

import logging
import os
import shutil
from pathlib import Path

import pytest

from app.engine import registry as registry_module
from app.engine.registry import Registry
from tests.app.engine.constant_models import save_constant
from tests.app.engine.following import CPU, is_version, settle, started
from tests.app.live_service import eventually


def test_a_link_to_nothing_counts_as_gone(folder: Path) -> None:
    registry = started(folder)
    (folder / "b.safetensors").unlink()
    (folder / "b.safetensors").symlink_to("nowhere")
    settle(registry)
    assert registry.names == ("a",)


def test_a_folder_behind_links_is_replaced_as_kubernetes_does_it(tmp_path: Path) -> None:
    """Files are links into the folder `..data`, which is a link that is replaced by another one."""
    for number, logit in enumerate((1.0, 3.0)):
        (tmp_path / f"..version{number}").mkdir()
        save_constant(tmp_path / f"..version{number}" / "a.safetensors", logit)
    (tmp_path / "..data").symlink_to("..version0")
    (tmp_path / "a.safetensors").symlink_to("..data/a.safetensors")
    registry = started(tmp_path)
    assert registry.names == ("a",) and is_version(registry.get(), 1.0)
    (tmp_path / "..new").symlink_to("..version1")
    (tmp_path / "..new").replace(tmp_path / "..data")
    settle(registry)
    assert registry.names == ("a",) and is_version(registry.get(), 3.0)


def test_models_serve_on_while_the_folder_is_away(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A folder that cannot be listed, as of a disk that is not there, says nothing about files. It is logged once."""
    registry = started(folder)
    away = folder.with_name("away")
    folder.rename(away)
    settle(registry)
    settle(registry)
    assert is_version(registry.get("a"), 1.0) and is_version(registry.get("b"), 2.0)
    assert caplog.text.count("cannot be listed") == 1
    save_constant(away / "a.safetensors", 3.0)
    away.rename(folder)
    settle(registry)
    assert is_version(registry.get("a"), 3.0) and is_version(registry.get("b"), 2.0)


def test_names_that_cannot_be_shown_and_hidden_files_are_left_out(folder: Path) -> None:
    """A byte that is no UTF-8, a line break; and what programs that copy name the copy before it is complete."""
    registry = started(folder)
    for name in (b"\xff.safetensors", b"line\nbreak.safetensors", b".c.safetensors", b".safetensors"):
        shutil.copy(folder / "a.safetensors", os.fsencode(folder) + b"/" + name)
    settle(registry)
    assert registry.names == ("a", "b")


def test_the_folder_is_followed_in_the_background(folder: Path) -> None:
    """And no longer after `stop`."""
    registry = Registry((), folder=folder, device=CPU, reload_s=0.01)
    registry.load_in_background(threads=1)
    try:
        assert registry.wait(60)
        save_constant(folder / "a.safetensors", 3.0)
        eventually(lambda: is_version(registry.get("a"), 3.0))
    finally:
        registry.stop(60)
    assert registry._thread is not None and registry._thread.name == "reloader" and not registry._thread.is_alive()


def test_a_fault_of_the_registry_itself_does_not_end_it(
    folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    faults = [ValueError("a fault")]

    def look(place: Path) -> object:
        if registry.loaded and faults:
            raise faults.pop()
        return real_look(place)

    real_look = registry_module.look
    monkeypatch.setattr(registry_module, "look", look)
    registry = Registry((), folder=folder, device=CPU, reload_s=0.01)
    registry.load_in_background()
    try:
        assert registry.wait(60)
        eventually(lambda: not faults)
        save_constant(folder / "a.safetensors", 3.0)
        eventually(lambda: is_version(registry.get("a"), 3.0))
    finally:
        registry.stop(60)
    assert "it will be tried again" in caplog.text


def test_without_reloading_the_folder_is_read_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that is bad at the start is reported at once."""
    (folder / "b.safetensors").write_bytes(b"half")
    registry = Registry((), folder=folder, device=CPU)
    monkeypatch.setattr(registry._stopped, "wait", lambda *_: pytest.fail("nothing is waited for"))
    registry.load_all()
    assert registry.state("b") == "failed"


def test_what_is_served_is_logged_with_its_version(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    registry = started(folder)
    save_constant(folder / "a.safetensors", 3.0)
    settle(registry)
    assert f"now serving a new version of a (squeezenet1_1, 2 classes; {registry.get().version})" in caplog.text

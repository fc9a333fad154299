"""Tests how the registry follows files of the folder that appear, change and go, one look after the other."""

import gc
import os
import weakref
from pathlib import Path

import pytest

from app.engine.catalogue import LoadingFailed, NotServed
from tests.app.engine.constant_models import save_constant
from tests.app.engine.following import is_version, settle, started


def test_a_replaced_file_is_served_at_the_second_look(folder: Path) -> None:
    """A request that has the old model keeps it, with its weights; the new one has another version."""
    registry = started(folder)
    old = registry.get("a")
    save_constant(folder / "a.safetensors", 3.0)
    registry.scan()
    assert registry.get("a") is old
    registry.scan()
    new = registry.get("a")
    assert is_version(old, 1.0) and is_version(new, 3.0) and is_version(registry.get("b"), 2.0)
    assert old.version != new.version
    registry.scan()
    assert registry.get("a") is new, "nothing has changed, so nothing is loaded"


def test_the_memory_of_the_old_version_is_freed_with_its_last_request(folder: Path) -> None:
    """Without a search for cycles of references, which Python begins at a time of its own."""
    registry = started(folder)
    request = registry.get("a")
    held = [weakref.ref(tensor) for tensor in request.classifier.tensors()]
    save_constant(folder / "a.safetensors", 3.0)
    gc.collect()
    gc.disable()
    try:
        settle(registry)
        assert all(tensor() is not None for tensor in held)
        del request
        assert all(tensor() is None for tensor in held)
    finally:
        gc.enable()


def test_a_new_version_takes_over_the_times_of_its_passes(folder: Path) -> None:
    """They are those of the same network with other weights. A network of another shape is measured."""
    registry = started(folder)
    times = registry.get("a").classifier.pass_times
    save_constant(folder / "a.safetensors", 3.0)
    save_constant(folder / "b.safetensors", 3.0, input_size=48, resize=48)
    settle(registry)
    assert registry.get("a").classifier.pass_times is times
    others = registry.get("b").classifier.pass_times
    assert others is not times and others.forward.knee is not None


def test_a_new_file_is_served_and_the_default_stays(folder: Path) -> None:
    """Its name comes before that of the default, which was chosen at the start."""
    registry = started(folder)
    save_constant(folder / "0.safetensors", 3.0)
    registry.scan()
    assert registry.names == ("a", "b")
    registry.scan()
    assert registry.names == ("a", "0", "b")
    assert is_version(registry.get("0"), 3.0) and is_version(registry.get(), 1.0)


def test_with_fixed_names_no_other_file_is_served(folder: Path) -> None:
    registry = started(folder, "b")
    save_constant(folder / "c.safetensors", 3.0)
    settle(registry)
    assert registry.names == ("b",)


def test_a_removed_file_is_no_longer_served(folder: Path) -> None:
    """A file that is away at one look only, while it is replaced, is still served. Who has the model keeps it."""
    registry = started(folder)
    running = registry.get("b")
    (folder / "b.safetensors").rename(folder / "aside")
    registry.scan()
    assert registry.get("b") is running
    (folder / "aside").rename(folder / "b.safetensors")
    settle(registry)
    assert is_version(registry.get("b"), 2.0)
    (folder / "b.safetensors").unlink()
    settle(registry)
    with pytest.raises(NotServed, match="similar names: a "):
        registry.get("b")
    assert is_version(running, 2.0)


def test_the_default_is_not_replaced_by_another_model(folder: Path) -> None:
    """A client that names no model would get answers of another one without knowing it."""
    registry = started(folder)
    (folder / "a.safetensors").unlink()
    settle(registry)
    assert registry.default == "a" and registry.state("a") == "failed"
    with pytest.raises(LoadingFailed, match=r"a\.safetensors has gone: put it back, or name another model"):
        registry.get()
    assert is_version(registry.get("b"), 2.0)
    save_constant(folder / "a.safetensors", 3.0)
    settle(registry)
    assert is_version(registry.get(), 3.0)


def test_a_fixed_name_returns_with_its_file(folder: Path) -> None:
    registry = started(folder, "a", "late")
    assert registry.state("late") == "failed"
    settle(registry)
    save_constant(folder / "late.safetensors", 3.0)
    settle(registry)
    assert is_version(registry.get("late"), 3.0)
    (folder / "late.safetensors").unlink()
    settle(registry)
    assert registry.names == ("a", "late") and registry.state("late") == "failed"


def test_a_renamed_file_is_served_under_its_new_name(folder: Path) -> None:
    registry = started(folder)
    (folder / "b.safetensors").rename(folder / "c.safetensors")
    settle(registry)
    assert registry.names == ("a", "c") and is_version(registry.get("c"), 2.0)


def test_two_files_that_change_places_are_told_apart(folder: Path) -> None:
    """Neither sizes nor times differ."""
    registry = started(folder)
    one, two = folder / "a.safetensors", folder / "b.safetensors"
    os.utime(one, ns=(10**18, 10**18))
    os.utime(two, ns=(10**18, 10**18))
    settle(registry)
    one.rename(folder / "aside")
    two.rename(one)
    (folder / "aside").rename(two)
    settle(registry)
    assert is_version(registry.get("a"), 2.0) and is_version(registry.get("b"), 1.0)


def test_an_older_time_is_a_change_too(folder: Path) -> None:
    """A copy may keep the time of its source."""
    registry = started(folder)
    save_constant(folder / "a.safetensors", 3.0)
    os.utime(folder / "a.safetensors", ns=(0, 0))
    settle(registry)
    assert is_version(registry.get("a"), 3.0)

"""Tests that no bad or half-written file replaces a model, and that each is loaded once it is good."""

import os
from pathlib import Path

import pytest

from app.engine.catalogue import LoadingFailed
from app.engine.registry import Registry
from models import checkpoint, store
from models.store import Model
from tests.app.engine.constant_models import save_constant
from tests.app.engine.following import CPU, is_version, settle, started


@pytest.mark.parametrize("length", [0, 7, 1000, -1])
def test_a_bad_file_is_refused_and_the_old_version_serves_on(
    folder: Path, length: int, caplog: pytest.LogCaptureFixture
) -> None:
    """It is logged once, and tried again only when it changes; then it replaces the old version."""
    registry = started(folder)
    good = (folder / "a.safetensors").read_bytes()
    (folder / "a.safetensors").write_bytes(good[:length])
    settle(registry)
    settle(registry)
    assert is_version(registry.get("a"), 1.0)
    entry = registry.entry("a")
    assert entry.state == "ready" and entry.problem is not None
    assert entry.problem.startswith("a newer file was refused: a.safetensors is no safetensors file")
    assert caplog.text.count("cannot serve a") == 1 and "Traceback" not in caplog.text
    save_constant(folder / "a.safetensors", 3.0)
    settle(registry)
    assert is_version(registry.get("a"), 3.0) and registry.entry("a").problem is None


def test_other_golden_logits_and_architectures_are_refused(folder: Path) -> None:
    registry = started(folder)
    stored = checkpoint.read(folder / "a.safetensors")
    checkpoint._write(folder / "a.safetensors", checkpoint.replace(stored, golden=[[1.0, 0.25]] * 4))
    unknown = checkpoint.replace(stored.spec, architecture="squeezenet9")
    checkpoint._write(folder / "b.safetensors", checkpoint.replace(stored, spec=unknown))
    settle(registry)
    assert is_version(registry.get("a"), 1.0) and is_version(registry.get("b"), 2.0)
    assert "other logits here than where it was trained" in str(registry.entry("a").problem)
    assert "squeezenet9" in str(registry.entry("b").problem)


def test_a_file_that_grows_is_left_alone_until_it_is_complete(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    """It is neither served nor reported as bad, at a new name or in place of an old version."""
    registry = started(folder)
    save_constant(folder / "whole", 3.0)
    data = (folder / "whole").read_bytes()
    third = len(data) // 3
    for name in ("a", "new"):
        (folder / f"{name}.safetensors").write_bytes(b"")
    for begin in range(0, len(data), third):
        for name in ("a", "new"):
            with (folder / f"{name}.safetensors").open("ab") as file:
                file.write(data[begin : begin + third])
        registry.scan()
        assert registry.names == ("a", "b")
        assert is_version(registry.get("a"), 1.0) and registry.entry("a").problem is None
    registry.scan()
    assert is_version(registry.get("a"), 3.0) and is_version(registry.get("new"), 3.0)
    assert "cannot serve" not in caplog.text


def test_a_half_written_file_at_the_start_is_not_reported_as_bad(
    folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It grows between the first and the second look of the start. One that does not is bad."""
    save_constant(folder / "whole", 3.0)
    data = (folder / "whole").read_bytes()
    (folder / "b.safetensors").write_bytes(data[:1000])
    (folder / "c.safetensors").write_bytes(b"damaged")
    registry = Registry((), folder=folder, device=CPU, reload_s=5)

    def write_more(timeout_s: float) -> bool:
        assert timeout_s == 5
        with (folder / "b.safetensors").open("ab") as file:
            file.write(data[1000:2000])
        return False

    monkeypatch.setattr(registry._stopped, "wait", write_more)
    registry.load_all()
    assert [registry.state(name) for name in registry.names] == ["ready", "loading", "failed"]
    assert registry.loaded and "cannot serve b" not in caplog.text and "cannot serve c" in caplog.text
    (folder / "b.safetensors").write_bytes(data)
    settle(registry)
    assert is_version(registry.get("b"), 3.0)


def test_a_file_that_is_changed_while_it_is_read_is_tried_again(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither version is served before the file is complete, and neither is called bad."""
    registry = started(folder)
    save_constant(folder / "a.safetensors", 3.0)
    contents = checkpoint._contents

    def change_meanwhile(path: Path) -> bytes:
        if path.stem == "a":
            raise checkpoint.StillBeingWritten("changed")
        return contents(path)

    with monkeypatch.context() as patch:
        patch.setattr(checkpoint, "_contents", change_meanwhile)
        settle(registry)
        assert is_version(registry.get("a"), 1.0) and registry.entry("a").problem is None
    registry.scan()
    assert is_version(registry.get("a"), 3.0)


def test_a_folder_in_place_of_a_file_and_a_link_to_itself_are_refused(folder: Path) -> None:
    registry = started(folder)
    for name in ("a", "b"):
        (folder / f"{name}.safetensors").unlink()
    (folder / "a.safetensors").mkdir()
    (folder / "b.safetensors").symlink_to("b.safetensors")
    settle(registry)
    assert is_version(registry.get("a"), 1.0) and is_version(registry.get("b"), 2.0)
    assert "no file but a folder" in str(registry.entry("a").problem)
    assert registry.entry("b").problem is not None


def test_a_pipe_does_not_stop_the_registry(folder: Path) -> None:
    """Opening it would wait for a writer without end."""
    registry = started(folder)
    os.mkfifo(folder / "pipe.safetensors")
    settle(registry)
    assert registry.state("pipe") == "failed"


def test_a_file_that_may_not_be_read_is_refused_until_it_may(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A change of the permissions is a change of the file, although its time and contents stay."""
    registry = started(folder)
    save_constant(folder / "a.safetensors", 3.0)
    may_open = Path.open

    def refuse(path: Path, *arguments: str) -> object:
        if path.name == "a.safetensors":
            raise PermissionError(13, "Permission denied")
        return may_open(path, *arguments)

    with monkeypatch.context() as patch:  # root, as who these tests may run, may read any file
        patch.setattr(Path, "open", refuse)
        settle(registry)
    assert is_version(registry.get("a"), 1.0)
    assert "cannot be read (Permission denied)" in str(registry.entry("a").problem)
    (folder / "a.safetensors").chmod(0o600)
    settle(registry)
    assert is_version(registry.get("a"), 3.0)


def test_a_failed_version_is_not_served_until_its_file_changes(folder: Path) -> None:
    registry = started(folder)
    broken = registry.get("a")
    registry.mark_failed(broken, "it gave NaN for 3 pictures")
    with pytest.raises(LoadingFailed, match="a cannot be used: it gave NaN for 3 pictures"):
        registry.get("a")
    settle(registry)
    assert registry.state("a") == "failed"
    save_constant(folder / "a.safetensors", 3.0)
    settle(registry)
    assert is_version(registry.get("a"), 3.0)
    registry.mark_failed(broken, "it gave NaN again")
    assert is_version(registry.get("a"), 3.0), "the version that fails is no longer served"


def test_an_unexpected_error_leaves_the_old_version_and_is_logged(
    folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    registry = started(folder)

    def fail(*_: object, **__: object) -> Model:
        raise RuntimeError("a bug")

    save_constant(folder / "a.safetensors", 3.0)
    monkeypatch.setattr(store, "load", fail)
    settle(registry)
    assert is_version(registry.get("a"), 1.0) and "Traceback" in caplog.text

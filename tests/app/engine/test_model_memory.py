"""Tests how much memory models take, and which are unloaded so that another one fits."""

from pathlib import Path

import pytest
import torch

from app.engine.catalogue import LoadingFailed, StillLoading
from app.engine.model_memory import memory_of
from app.engine.registry import Registry
from models.classifier import Classifier
from models.store import Model, load
from tests.app.engine.constant_models import save_constant
from tests.app.live_service import eventually
from tests.networks import LinearNetwork, unnormalised

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the checkpoints a, b and c, which are of equal size."""
    place = tmp_path_factory.mktemp("models")
    for number, name in enumerate("abc"):
        save_constant(place / f"{name}.safetensors", float(number))
    return place


@pytest.fixture(scope="module")
def size(folder: Path) -> int:
    """Return the memory of each of them in bytes."""
    return memory_of(load("a", folder=folder))


def started(folder: Path, limit: float, *, idle_s: float = 0.0) -> Registry:
    registry = Registry((), folder=folder, device=CPU, model_bytes=round(limit), idle_s=idle_s, reload_s=1e-9)
    registry.load_all()
    return registry


def states(registry: Registry) -> list[str]:
    return [registry.state(name) for name in registry.names]


def settle(registry: Registry) -> None:
    registry.scan()
    registry.scan()


def ask_for(registry: Registry, name: str) -> None:
    """Ask for an unloaded model, as a request does, and let it be loaded."""
    with pytest.raises(StillLoading):
        registry.get(name)
    assert registry.state(name) == "loading"
    registry.load_wanted()


def test_the_memory_of_a_linear_network() -> None:
    """3 x 768 weights and 3 biases in float32, and the mean and standard deviation of 3 channels, of 4 bytes each."""
    model = Model("linear", Classifier(LinearNetwork(3, 16), unnormalised(3, 16)), {})
    assert memory_of(model) == 4 * (3 * 768 + 3 + 3 + 3)


def test_memory_that_tensors_share_counts_once() -> None:
    network = LinearNetwork(3, 16)
    network.register_buffer("view", network.layer.weight.detach()[0])
    model = Model("linear", Classifier(network, unnormalised(3, 16)), {})
    assert memory_of(model) == 4 * (3 * 768 + 3 + 3 + 3)


def test_copies_in_other_layouts_count(folder: Path) -> None:
    """They are there only on processors whose passes they make faster."""
    classifier = load("a", folder=folder).classifier
    copies = [tensor for tensor in classifier.tensors() if tensor.is_mkldnn]
    own = sum(tensor.nbytes for tensor in (*classifier.network.parameters(), *classifier.network.buffers()))
    assert memory_of(Model("a", classifier, {})) == own + sum(4 * copy.numel() for copy in copies)


def test_without_a_limit_all_models_are_loaded(folder: Path) -> None:
    registry = Registry((), folder=folder, device=CPU)
    registry.load_all()
    assert states(registry) == ["ready"] * 3


def test_at_the_start_models_are_loaded_as_long_as_they_fit(folder: Path, size: int) -> None:
    assert states(started(folder, 2.5 * size)) == ["ready", "ready", "unloaded"]
    assert states(started(folder, 3 * size)) == ["ready"] * 3


def test_a_model_that_is_asked_for_takes_the_place_of_the_one_not_used_for_longest(folder: Path, size: int) -> None:
    """Never that of the default model, a, although it was not used at all."""
    registry = started(folder, 2.5 * size)
    ask_for(registry, "c")
    assert states(registry) == ["ready", "unloaded", "ready"] and registry.get("c").name == "c"
    ask_for(registry, "b")
    assert states(registry) == ["ready", "ready", "unloaded"]
    registry = started(folder, 3.5 * size)
    for name in ("c", "b", "a"):
        registry.get(name)
    assert registry.longest_idle(0, other_than="a") == "c"


def test_a_model_in_use_is_not_unloaded(folder: Path, size: int) -> None:
    """It was asked for a moment ago, so its request may still run. Later it is another one's turn."""
    registry = started(folder, 2.5 * size, idle_s=3600)
    registry.get("b")
    ask_for(registry, "c")
    assert states(registry) == ["ready", "ready", "unloaded"]
    assert "c needs" in str(registry.entry("c").problem) and "already take" in str(registry.entry("c").problem)
    registry._used["b"] -= 3600
    ask_for(registry, "c")
    assert states(registry) == ["ready", "unloaded", "ready"] and registry.entry("c").problem is None


def test_memory_counts_until_the_last_request_is_done(folder: Path, size: int) -> None:
    """An unloaded model that a request still has takes its memory, so that there is none for another one."""
    registry = started(folder, 2.5 * size)
    request = registry.get("b")
    ask_for(registry, "c")
    assert states(registry) == ["ready", "unloaded", "unloaded"]
    del request
    ask_for(registry, "c")
    assert states(registry) == ["ready", "unloaded", "ready"]


def test_a_new_version_needs_room_beside_the_old_one(tmp_path: Path, folder: Path, size: int) -> None:
    """As long as there is none, the old one serves on and says why; it is replaced once there is."""
    for name, logit in (("a", 0.0), ("b", 1.0)):
        save_constant(tmp_path / f"{name}.safetensors", logit)
    registry = started(tmp_path, 2.5 * size, idle_s=3600)
    old = registry.get("a")
    registry.get("b")
    save_constant(tmp_path / "a.safetensors", 3.0)
    settle(registry)
    assert registry.get("a") is old
    assert str(registry.entry("a").problem).startswith("a newer file is not loaded: a needs")
    (tmp_path / "b.safetensors").unlink()
    settle(registry)
    registry.scan()
    assert registry.get("a") is not old and registry.entry("a").problem is None


def test_an_idle_model_makes_room_for_a_new_version(tmp_path: Path, size: int) -> None:
    for name, logit in (("a", 0.0), ("b", 1.0)):
        save_constant(tmp_path / f"{name}.safetensors", logit)
    registry = started(tmp_path, 2.5 * size)
    old = registry.get("a").version
    save_constant(tmp_path / "a.safetensors", 3.0)
    settle(registry)
    assert states(registry) == ["ready", "unloaded"] and registry.get("a").version != old


def test_what_can_never_fit_is_refused(tmp_path: Path, size: int) -> None:
    """A second model, a second version of the default model, and the default model alone."""
    for name, logit in (("a", 0.0), ("b", 1.0)):
        save_constant(tmp_path / f"{name}.safetensors", logit)
    registry = started(tmp_path, 1.5 * size)
    assert states(registry) == ["ready", "failed"]
    with pytest.raises(LoadingFailed, match="allow more memory"):
        registry.get("b")
    old = registry.get("a")
    save_constant(tmp_path / "a.safetensors", 3.0)
    settle(registry)
    assert registry.get("a") is old
    assert str(registry.entry("a").problem).startswith("a newer file was refused: a needs")
    assert states(started(tmp_path, 0.5 * size)) == ["failed", "failed"]


def test_an_unloaded_model_is_loaded_from_the_file_that_is_there_then(tmp_path: Path, size: int) -> None:
    """Its new file is not loaded before; a removed one is not served."""
    for name in "abc":
        save_constant(tmp_path / f"{name}.safetensors", 1.0)
    registry = started(tmp_path, 2.5 * size)
    save_constant(tmp_path / "c.safetensors", 3.0)
    settle(registry)
    assert states(registry) == ["ready", "ready", "unloaded"]
    ask_for(registry, "c")
    assert registry.get("c").version != registry.get("a").version
    (tmp_path / "b.safetensors").unlink()
    settle(registry)
    assert registry.names == ("a", "c")


def test_an_unloaded_model_is_loaded_in_the_background(folder: Path, size: int) -> None:
    """Also if the folder is not followed."""
    registry = Registry((), folder=folder, device=CPU, model_bytes=round(2.5 * size), idle_s=0)
    registry.load_in_background(threads=1)
    try:
        assert registry.wait(60)
        with pytest.raises(StillLoading) as refused:
            registry.get("c")
        assert refused.value.retry_after_s == 2
        eventually(lambda: registry.state("c") == "ready")
    finally:
        registry.stop(60)

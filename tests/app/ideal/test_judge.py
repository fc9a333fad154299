"""Which other model is shown a picture, and under which index it knows the class."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch import nn

from app.engine.cache import ResultCache
from app.engine.engine import Engine
from app.engine.registry import LoadingFailed, NotServed, Registry, StillLoading
from app.ideal.judge import Judge, choose_judge
from app.settings import Settings
from app.web.service import Service
from models import checkpoint
from models.classes import UnknownClass
from models.ideal import BadIdeal
from models.spec import Spec

CLASSES = {
    "first": ("cat", "dog", "3", "tabby cat"),
    "strange": ("a", "b", "c", "d"),
    "other": ("sea lion", "DOG", "cow", "CAT"),
    "last": ("cow", "cat", "tabby-cat", "Tabby_Cat"),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One network under four names with other classes each, and a file that is none."""
    place = tmp_path_factory.mktemp("judges")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network: nn.Module = checkpoint.architectures.build("squeezenet1_1", 4)
    for name, classes in CLASSES.items():
        spec = Spec("squeezenet1_1", classes, input_size=32, resize=32)
        checkpoint.save(place / f"{name}.safetensors", network, spec, {})
    (place / "broken.safetensors").write_bytes(b"damaged")
    return place


@pytest.fixture(scope="module")
def service(folder: Path) -> Iterator[Service]:
    """All of them, the broken one before those that know a cat."""
    registry = Registry(["first", "broken", "strange", "other", "last"], folder=folder, device=torch.device("cpu"))
    registry.load_all()
    engine = Engine()
    yield Service(Settings(_env_file=None), registry, engine, ResultCache(folder, 0))
    engine.close(timeout_s=30)


def chosen(service: Service, drawer: str, label: str | None, wanted: str | None = None) -> tuple[str, int] | None:
    found = choose_judge(service, service.registry.get(drawer), label, wanted)
    return None if found is None else (found.model.name, found.index)


def test_the_first_other_model_that_knows_the_class(service: Service) -> None:
    """By name, in whatever letters, with the other model's own index; those that failed to load are passed over."""
    assert chosen(service, "first", "cat") == ("other", 3)
    assert chosen(service, "first", "dog") == ("other", 1)
    assert chosen(service, "other", "CAT") == ("first", 0)
    assert chosen(service, "other", "cow") == ("last", 0)


def test_who_knows_it_twice_is_passed_over(service: Service) -> None:
    """`last` has two classes that go by this name."""
    assert chosen(service, "first", "tabby cat") is None
    assert chosen(service, "last", "tabby-cat") == ("first", 3)


def test_a_name_of_digits_is_no_index(service: Service) -> None:
    """The class `3` of the first model is nobody else's fourth."""
    assert chosen(service, "first", "3") is None
    with pytest.raises(UnknownClass, match="'3'"):
        chosen(service, "first", "3", "other")


def test_nobody_else_knows_it(service: Service) -> None:
    assert chosen(service, "strange", "a") is None


def test_nobody_else_has_the_channel(service: Service) -> None:
    assert chosen(service, "first", None) is None
    with pytest.raises(BadIdeal, match="judge"):
        chosen(service, "first", None, "other")


def test_a_model_of_ones_choice(service: Service) -> None:
    assert chosen(service, "first", "cat", "last") == ("last", 1)
    model = service.registry.get("last")
    assert choose_judge(service, service.registry.get("first"), "cat", "last") == Judge(model, 1)


@pytest.mark.parametrize(
    ("wanted", "error", "told"),
    [
        ("first", BadIdeal, "name another one"),
        ("nobody", NotServed, "'nobody'"),
        ("broken", LoadingFailed, "broken"),
        ("strange", UnknownClass, "'cat'"),
    ],
)
def test_a_choice_that_cannot_serve(service: Service, wanted: str, error: type[Exception], told: str) -> None:
    with pytest.raises(error, match=told):
        chosen(service, "first", "cat", wanted)


def test_while_the_others_are_loading(service: Service, folder: Path) -> None:
    """Nobody is waited for; who is named is told of."""
    loading = Registry(["other", "last"], folder=folder, device=torch.device("cpu"))
    early = Service(service.settings, loading, service.engine, service.cache)
    model = service.registry.get("first")
    assert choose_judge(early, model, "cat", None) is None
    with pytest.raises(StillLoading):
        choose_judge(early, model, "cat", "other")

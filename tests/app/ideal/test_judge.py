"""Tests which other model judges a picture, and under which index it has the class."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

from app.decoding.decoders import Decoders
from app.engine.cache import ResultCache
from app.engine.catalogue import LoadingFailed, NotServed, StillLoading
from app.engine.engine import Engine
from app.engine.registry import Registry
from app.ideal.judge import Judge, choose_judge
from app.memory.budget import MemoryBudget
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
    """Return a folder of four checkpoints of one network with different classes, and a broken file."""
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
    """Return a service of all these models; the broken one comes before those with the class cat."""
    registry = Registry(["first", "broken", "strange", "other", "last"], folder=folder, device=torch.device("cpu"))
    registry.load_all()
    engine = Engine()
    decoders = Decoders(1)
    memory = MemoryBudget(1)
    yield Service(Settings(_env_file=None), registry, engine, ResultCache(folder, 0), memory, decoders)
    decoders.close()
    engine.close(timeout_s=30)


def chosen_judge(
    service: Service, drawing_model: str, label: str | None, name: str | None = None
) -> tuple[str, int] | None:
    judge = choose_judge(service, service.registry.get(drawing_model), label, name)
    return None if judge is None else (judge.model.name, judge.index)


def test_the_first_other_model_with_the_class_is_the_judge(service: Service) -> None:
    """Names match in any spelling, and the index is that of the judge; models that failed to load are skipped."""
    assert chosen_judge(service, "first", "cat") == ("other", 3)
    assert chosen_judge(service, "first", "dog") == ("other", 1)
    assert chosen_judge(service, "other", "CAT") == ("first", 0)
    assert chosen_judge(service, "other", "cow") == ("last", 0)


def test_a_model_with_an_ambiguous_class_is_skipped(service: Service) -> None:
    """`last` has two classes of this name."""
    assert chosen_judge(service, "first", "tabby cat") is None
    assert chosen_judge(service, "last", "tabby-cat") == ("first", 3)


def test_a_class_name_of_digits_is_no_index(service: Service) -> None:
    """The class called "3" of the first model is not the class of index 3 of another model."""
    assert chosen_judge(service, "first", "3") is None
    with pytest.raises(UnknownClass, match="'3'"):
        chosen_judge(service, "first", "3", "other")


def test_without_another_model_of_the_class_there_is_no_judge(service: Service) -> None:
    assert chosen_judge(service, "strange", "a") is None


def test_a_channel_has_no_judge(service: Service) -> None:
    assert chosen_judge(service, "first", None) is None
    with pytest.raises(BadIdeal, match="judge"):
        chosen_judge(service, "first", None, "other")


def test_the_judge_can_be_chosen_by_name(service: Service) -> None:
    assert chosen_judge(service, "first", "cat", "last") == ("last", 1)
    model = service.registry.get("last")
    assert choose_judge(service, service.registry.get("first"), "cat", "last") == Judge(model, 1)


@pytest.mark.parametrize(
    ("name", "error", "message"),
    [
        ("first", BadIdeal, "name another one"),
        ("nobody", NotServed, "'nobody'"),
        ("broken", LoadingFailed, "broken"),
        ("strange", UnknownClass, "'cat'"),
    ],
)
def test_an_unsuitable_choice_is_refused(service: Service, name: str, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        chosen_judge(service, "first", "cat", name)


def test_models_that_are_still_loading_are_skipped_or_refused(service: Service, folder: Path) -> None:
    """By default they are skipped; a judge that is chosen by name is refused while it is loading."""
    loading = Registry(["other", "last"], folder=folder, device=torch.device("cpu"))
    loading_service = replace(service, registry=loading)
    model = service.registry.get("first")
    assert choose_judge(loading_service, model, "cat", None) is None
    with pytest.raises(StillLoading):
        choose_judge(loading_service, model, "cat", "other")

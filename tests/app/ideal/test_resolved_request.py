"""Tests that the cache key of a request changes with everything that its response depends on, and only then."""

from dataclasses import replace

import pytest
import torch

from app.ideal.drawing import film_key
from app.ideal.judge import Judge
from app.ideal.resolved_request import ResolvedRequest
from app.web.formats import Format
from models.classifier import Classifier
from models.ideal.options import ideal_options
from models.store import Model
from tests.networks import LinearNetwork, unnormalised

CPU = torch.device("cpu")
OPTIONS = {"effort": "standard", **ideal_options("fourier", 16, {}), "seed": 0, "count": 1, "size": 16}


def model(name: str = "linear", seed: int = 0, **spec: object) -> Model:
    return Model(name, Classifier(LinearNetwork(3, 16, seed), unnormalised(3, 16, **spec)), {})


@pytest.fixture(scope="module")
def resolved() -> ResolvedRequest:
    return ResolvedRequest(model(), 1, "fourier", OPTIONS, None)


def test_equal_requests_have_the_same_key(resolved: ResolvedRequest) -> None:
    """The order of options and the provenance of the weights do not matter."""
    key = resolved.cache_key(CPU, 32, 2)
    assert len(key) == 64 and resolved.cache_key(CPU, 32, 2) == key
    backwards = dict(reversed(OPTIONS.items()))
    assert list(backwards) != list(OPTIONS)
    assert replace(resolved, options=backwards).cache_key(CPU, 32, 2) == key
    assert replace(resolved, model=replace(model(), provenance={"found": "elsewhere"})).cache_key(CPU, 32, 2) == key


def test_every_part_of_the_request_changes_the_key(resolved: ResolvedRequest) -> None:
    layer, other = resolved.model.classifier.layers[0], model("other")
    options = [{**OPTIONS, name: "x" if isinstance(value, str) else value + 1} for name, value in OPTIONS.items()]
    requests = [
        resolved,
        replace(resolved, model=model("renamed")),
        replace(resolved, model=model(seed=1)),
        replace(resolved, model=model(temperature=2.0)),
        replace(resolved, subject=2),
        replace(resolved, subject=(layer, 1)),
        replace(resolved, subject=(layer, 2)),
        replace(resolved, subject=(replace(layer, name="other"), 1)),
        replace(resolved, method="maco"),
        replace(resolved, options=dict(list(OPTIONS.items())[1:])),
        *(replace(resolved, options=changed_options) for changed_options in options),
        replace(resolved, judge=Judge(other, 1)),
        replace(resolved, judge=Judge(model("third"), 1)),
        replace(resolved, judge=Judge(model("other", seed=1), 1)),
    ]
    keys = [request.cache_key(CPU, 32, 2) for request in requests]
    assert len(set(keys)) == len(keys)


@pytest.mark.parametrize(
    ("target", "value"),
    [("app.ideal.resolved_request.EDITION", 0), ("torch.__version__", "0.1")],
    ids=["edition", "torch"],
)
def test_edition_and_torch_version_change_the_key(
    resolved: ResolvedRequest, target: str, value: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = resolved.cache_key(CPU, 32, 2)
    monkeypatch.setattr(target, value)
    assert resolved.cache_key(CPU, 32, 2) != key


def test_the_device_changes_the_key(resolved: ResolvedRequest) -> None:
    assert len({resolved.cache_key(torch.device(name), 32, 2) for name in ("cpu", "cuda:0", "cuda:1")}) == 3


def test_the_batch_size_changes_the_key(resolved: ResolvedRequest) -> None:
    assert resolved.cache_key(CPU, 16, 2) != resolved.cache_key(CPU, 32, 2)


def test_the_number_of_threads_changes_the_key(resolved: ResolvedRequest) -> None:
    assert resolved.cache_key(CPU, 32, 1) != resolved.cache_key(CPU, 32, 2)


def test_films_have_other_keys_than_their_picture() -> None:
    assert len({film_key("key", Format.film), film_key("key", Format.gif), "key"}) == 3

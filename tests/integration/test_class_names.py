"""Class names with characters that have a meaning in URLs, in routes and in the greeting."""

import shlex
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote, urlsplit

import pytest
import torch

from app.engine.registry import Registry
from app.settings import Settings
from app.startup.greeting import class_in_url, greeting
from models import checkpoint
from models.classes import ClassNames
from tests.app.live_service import TINY, Live, lively_network, serve

NAMES = {
    "music": ("AC/DC", "N/A", "a//b", "/"),
    "signs": ("a?b#c", "100%", "%2F", "C++"),
    "dots": (".", "..", "../etc", "x/../y"),
    "letters": ("été", "кошка", "猫", "models"),
    "docs": ("docs", "classify", "health/live", "x y"),
}


@pytest.fixture(scope="module")
def odd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """A service of models whose classes have these names."""
    folder: Path = tmp_path_factory.mktemp("odd")
    network = lively_network()
    for model, classes in NAMES.items():
        checkpoint.save(folder / f"{model}.safetensors", network, replace(TINY, classes=classes), {})
    with serve(checkpoints=folder) as running:
        yield running


@pytest.mark.parametrize(("model", "index"), [(model, index) for model in NAMES for index in range(4)])
def test_each_class_is_found_by_its_name_and_by_its_index(odd: Live, model: str, index: int) -> None:
    """HEAD validates as GET does but draws nothing, so that the many names are quick to test."""
    name = NAMES[model][index]
    tags = set()
    for text in (quote(name, safe=""), str(index)):
        # Clients remove the dots of a path, so these classes are only requested by their index.
        if name not in (".", ".."):
            head = odd.client.head(f"/ideal/{text}?model={model}&steps=1&size=32")
            assert head.status_code == 200, text
            tags.add(head.headers["ETag"])
    assert len(tags) <= 1
    answer = odd.client.get(f"/ideal/{index}?model={model}&steps=1&size=32&format=json").json()
    assert (answer["label"], answer["index"]) == (name, index)


def test_a_slash_in_a_name_may_be_unescaped_and_unknown_names_are_404(odd: Live) -> None:
    get = odd.client.get
    assert get("/ideal/AC/DC?model=music&steps=1&size=32&format=json").json()["label"] == "AC/DC"
    assert get("/ideal/ac%2Fdc?model=music&steps=1&size=32&format=json").json()["label"] == "AC/DC"
    for path in ("/ideal/AC/DX?model=music", "/ideal/AC/?model=music", "/ideal/x/y/z"):
        answer = get(path)
        assert (answer.status_code, answer.json()["type"]) == (404, "urn:mirage:problem:unknown-class"), path


@pytest.mark.parametrize(
    ("classes", "text"),
    [
        (("AC/DC", "x"), "AC%2FDC"),
        (("sea lion", "x"), "sea_lion"),
        (("a_b c", "x"), "a_b_c"),
        (("100%", "x"), "100%25"),
        ((".", "x"), "0"),
        (("..", "0"), "0"),  # the name of the second, whose index it is not
        (("cat ", "cat"), "cat%20"),
        (("x" * 300, "y"), "0"),
        (("猫", "x"), "%E7%8C%AB"),
    ],
)
def test_the_name_of_a_class_in_a_url(classes: tuple[str, ...], text: str) -> None:
    assert class_in_url(ClassNames(classes)) == text


@pytest.mark.parametrize("model", NAMES)
def test_the_url_in_the_greeting_leads_to_a_class(odd: Live, model: str) -> None:
    alone = Registry((model,), folder=odd.service.settings.checkpoints, device=torch.device("cpu"))
    alone.load_all()
    line = next(line for line in greeting(Settings(_env_file=None), alone).splitlines() if "/ideal/" in line)
    path = urlsplit(shlex.split(line)[-1]).path
    assert odd.client.head(f"{path}?model={model}&steps=1&size=32").status_code == 200

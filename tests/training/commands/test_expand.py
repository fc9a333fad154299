from dataclasses import fields, replace
from pathlib import Path
from typing import Any, get_type_hints

import pytest
import torch
from typer.testing import CliRunner, Result

from training.__main__ import app
from training.cache import Cache
from training.data.options import DataOptions
from training.evaluate import EvaluationOptions
from training.options import FitOptions, TrainingOptions
from training.recipe import ROBUST, Recipe

FIT = ("fit", "tests", "--output", "x.safetensors")
OLD_NAMES = [
    (FIT, "--parent", "--weights", "w.pth"),
    (FIT, "--parent-licence", "--weights-licence", "MIT"),
    (FIT, "--trunk-rate", "--backbone-rate", "0.25"),
    (("find-lr", "tests"), "--parent", "--weights", "w.pth"),
    (("find-lr", "tests"), "--trunk-rate", "--backbone-rate", "0.25"),
    (("check", "tests"), "--parent", "--weights", "w.pth"),
    (("evaluate", "x", "tests"), "--side", "--on", "train"),
]


class Stopped(RuntimeError):
    """The library was called; there is nothing more to test."""


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The options with which the library was called, in place of doing what they ask for."""
    calls: list[Any] = []

    def record(options: Any, *_: object) -> None:
        calls.append(options)
        raise Stopped

    for name in ("check", "evaluate", "find_lr", "fit"):
        monkeypatch.setattr(f"training.commands.{name}.run_{name}", record)
    return calls


def invoke(*words: str) -> Result:
    return CliRunner(env={"COLUMNS": "250", "NO_COLOR": "1", "TERMINAL_WIDTH": "250"}).invoke(app, words)


@pytest.mark.parametrize(("command", "old", "new", "value"), OLD_NAMES)
def test_an_old_name_means_the_same_and_is_hidden(
    calls: list[Any], command: tuple[str, ...], old: str, new: str, value: str
) -> None:
    usual = invoke(*command)
    assert isinstance(usual.exception, Stopped), usual.output
    for name in (old, new):
        assert isinstance(invoke(*command, name, value).exception, Stopped)
    default, by_old, by_new = calls
    assert by_old == by_new != default
    help_ = invoke(command[0], "--help").output.split()
    assert new in help_ and old not in help_


@pytest.mark.parametrize(("command", "old", "new", "value"), OLD_NAMES)
def test_an_old_name_beside_the_new_one_is_an_error(
    calls: list[Any], command: tuple[str, ...], old: str, new: str, value: str
) -> None:
    result = invoke(*command, old, value, new, value)
    assert result.exit_code == 2 and not calls
    assert f"{old} is the old name of {new}: give only {new}" in result.stderr


def test_what_is_not_given_has_the_default_of_the_library(calls: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """But for the workers, one per core, and for the number of epochs, which was not asked for."""
    monkeypatch.delenv("MIRAGE_TRAINING_CACHE", raising=False)
    invoke(*FIT, "--workers", "0", "--device", "cpu")
    assert calls == [FitOptions(data=Path("tests"), output=Path("x.safetensors"), epochs_asked=False)]
    invoke("find-lr", "tests", "--workers", "3", "--device", "cpu")
    assert calls[1] == TrainingOptions(data=Path("tests"), workers=3)


def test_words_become_the_values_that_the_library_takes(calls: list[Any]) -> None:
    invoke(
        *FIT, "--rename", "a=b", "--rename", "c=d=e", "--exclude", "x", "--exclude", "y", "--cache", "place",
        "--cache-bytes", "7", "--crop-scale", "0.2", "0.9", "--probe-penalties", "0.5", "--device", "cpu",
        "--workers", "2", "--save-every", "1.5", "--epochs", "8", "--robust", "--no-channels-last", "--resume",
    )  # fmt: skip
    assert calls == [
        FitOptions(
            data=Path("tests"),
            output=Path("x.safetensors"),
            renamed={"a": "b", "c": "d=e"},
            data_options=DataOptions(exclude=("x", "y")),
            cache=Cache(Path("place"), 7),
            recipe=replace(ROBUST, crop_scale=(0.2, 0.9), probe_penalties=(0.5,), epochs=8, channels_last=False),
            device=torch.device("cpu"),
            workers=2,
            save_every_s=1.5,
            resume=True,
            epochs_asked=True,
        )
    ]


def test_evaluate_passes_its_attack_on(calls: list[Any]) -> None:
    words = ("--norm", "l2", "--epsilon", "1/2", "--epsilon", "3", "--steps", "4", "--restarts", "2")
    invoke("evaluate", "name", "tests", *words, "--on", "test", "--photos", "9")
    (options,) = calls
    assert isinstance(options, EvaluationOptions) and options.photos == 9
    assert options.attack == {"attack": "apgd", "norm": "l2", "epsilons": (0.5, 3.0), "steps": 4, "restarts": 2}


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--save-every", "-1"), "greater than or equal to 0"),
        (("--phase", "half"), "'half' is not one of"),
        (("--trunk", "1"), "No such option"),
    ],
)
def test_what_no_option_takes_is_refused(calls: list[Any], words: tuple[str, ...], told: str) -> None:
    result = invoke(*FIT, *words)
    assert result.exit_code == 2 and told in result.stderr and not calls


def test_every_text_is_one_or_more_sentences_and_stands_in_help() -> None:
    """Each field that is described is an option of fit; its text ends as a sentence does."""
    help_ = " ".join(invoke("fit", "--help").output.replace("│", " ").split())
    for owner in (FitOptions, DataOptions, Recipe, Cache):
        hints = get_type_hints(owner, include_extras=True)
        for field in fields(owner):
            if hasattr(hints[field.name], "__metadata__"):
                text = hints[field.name].__metadata__[0]
                assert text.endswith(".") and text[0].isupper() and text in help_, field.name
    for told in (
        "Range: 0 to 100,000. Default: 8, with --robust 16.",
        "Default: on, with --robust off.",
        "Default: 60.",
    ):
        assert told in help_

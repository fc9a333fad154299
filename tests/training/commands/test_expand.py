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
    """Raised when the library is called, which ends the command."""


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The options with which the library is called; the calls have no effect."""
    calls: list[Any] = []

    def record(options: Any, *_: object) -> None:
        calls.append(options)
        raise Stopped

    for name in ("check", "evaluate", "find_lr", "fit"):
        monkeypatch.setattr(f"training.commands.{name}.run_{name}", record)
    return calls


def invoke(*arguments: str) -> Result:
    return CliRunner(env={"COLUMNS": "250", "NO_COLOR": "1", "TERMINAL_WIDTH": "250"}).invoke(app, arguments)


@pytest.mark.parametrize(("command", "old", "new", "value"), OLD_NAMES)
def test_an_old_name_means_the_same_and_is_hidden(
    calls: list[Any], command: tuple[str, ...], old: str, new: str, value: str
) -> None:
    result = invoke(*command)
    assert isinstance(result.exception, Stopped), result.output
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


def test_options_that_are_not_given_have_the_defaults_of_the_library(
    calls: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The number of epochs is marked as not given, since a resumed run then keeps its own."""
    monkeypatch.delenv("MIRAGE_TRAINING_CACHE", raising=False)
    invoke(*FIT, "--workers", "0", "--device", "cpu")
    assert calls == [FitOptions(data=Path("tests"), output=Path("x.safetensors"), epochs_asked=False)]
    invoke("find-lr", "tests", "--workers", "3", "--device", "cpu")
    assert calls[1] == TrainingOptions(data=Path("tests"), workers=3)


def test_arguments_become_the_values_of_the_library(calls: list[Any]) -> None:
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


def test_evaluate_passes_the_options_of_its_attack(calls: list[Any]) -> None:
    arguments = ("--norm", "l2", "--epsilon", "1/2", "--epsilon", "3", "--steps", "4", "--restarts", "2")
    invoke("evaluate", "name", "tests", *arguments, "--on", "test", "--photos", "9")
    (options,) = calls
    assert isinstance(options, EvaluationOptions) and options.photos == 9
    assert options.attack == {"attack": "apgd", "norm": "l2", "epsilons": (0.5, 3.0), "steps": 4, "restarts": 2}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--save-every", "-1"), "is not in the range x>=0"),
        (("--phase", "half"), "'half' is not one of"),
        (("--trunk", "1"), "No such option"),
    ],
)
def test_wrong_arguments_are_refused(calls: list[Any], arguments: tuple[str, ...], message: str) -> None:
    result = invoke(*FIT, *arguments)
    assert result.exit_code == 2 and message in result.stderr and not calls


def test_every_description_is_a_sentence_in_the_help() -> None:
    """The help of fit has the description of every field, which begins and ends like a sentence."""
    help_ = " ".join(invoke("fit", "--help").output.replace("│", " ").split())
    for owner in (FitOptions, DataOptions, Recipe, Cache):
        hints = get_type_hints(owner, include_extras=True)
        for field in fields(owner):
            if hasattr(hints[field.name], "__metadata__"):
                text = hints[field.name].__metadata__[0]
                assert text.endswith(".") and text[0].isupper() and text in help_, field.name
    for sentence in (
        "Range: 0 to 100,000. Default: 8, with --robust 16.",
        "Default: on, with --robust off.",
        "Default: 60.",
    ):
        assert sentence in help_

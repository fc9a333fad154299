"""A run that goes on for more epochs than it was planned for."""

import io
import math
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from rich.console import Console

from models import checkpoint
from tests.training.drawn import ARCHITECTURE, write_gratings, write_pretrained
from training.cache import Cache
from training.fit import fit
from training.learner import Learner
from training.options import FitOptions
from training.prepare import prepare
from training.provenance import command
from training.recipe import Recipe
from training.run import Run
from training.run_state import BadRun

RECIPE = Recipe(epochs=2, full_size_epochs=1, batch_size=8, input_size=48, precision="float32")
LONGER = replace(RECIPE, epochs=4)
"""Three steps an epoch: 6 of the run as planned, 12 when it is extended."""


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_gratings(tmp_path_factory.mktemp("data") / "gratings", {"Reddish": 20, "Bluish": 20})


@pytest.fixture(scope="module")
def pretrained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_pretrained(tmp_path_factory.mktemp("weights") / "weights.pth")


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Cache:
    return Cache(tmp_path_factory.mktemp("cache"))


@pytest.fixture
def planned(tmp_path: Path, data: Path, pretrained: Path, cache: Cache) -> FitOptions:
    """The run as planned."""
    return fit_options(tmp_path, data, pretrained, cache)


def fit_options(place: Path, data: Path, pretrained: Path, cache: Cache) -> FitOptions:
    return FitOptions(
        data=data,
        output=place / "stripes.safetensors",
        architecture=ARCHITECTURE,
        recipe=RECIPE,
        weights=pretrained,
        runs=place / "runs",
        cache=cache,
        robustness_photos=0,
        save_every_s=0.0,
    )


@pytest.fixture(scope="module", autouse=True)
def without_plots() -> Iterator[None]:
    """The report has tests of its own, and takes longer than such a run."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("training.finish.write_report", lambda *_: None)
        yield


@pytest.fixture(scope="module")
def ended(tmp_path_factory: pytest.TempPathFactory, data: Path, pretrained: Path, cache: Cache) -> FitOptions:
    """The run as planned, at its end."""
    done = fit_options(tmp_path_factory.mktemp("ended"), data, pretrained, cache)
    printed_by(done)
    return done


@pytest.fixture
def again(ended: FitOptions, planned: FitOptions) -> FitOptions:
    """The same in a place of its own."""
    shutil.copytree(ended.runs, planned.runs)
    shutil.copy(ended.output, planned.output)
    return planned


@pytest.fixture(scope="module")
def extended(tmp_path_factory: pytest.TempPathFactory, ended: FitOptions) -> tuple[FitOptions, str]:
    """The run of two epochs extended to four, and what was told of the second part."""
    place = tmp_path_factory.mktemp("extended")
    shutil.copytree(ended.runs, place / "runs")
    longer = replace(ended, output=place / ended.output.name, runs=place / "runs", recipe=LONGER, resume=True)
    return longer, printed_by(longer)


def printed_by(planned: FitOptions) -> str:
    """What a run that goes through tells."""
    file = io.StringIO()
    fit(planned, Console(file=file, width=300))
    return file.getvalue()


def stopped_after(steps: int, planned: FitOptions) -> str:
    """Run until Ctrl-C comes after so many steps."""
    whole, file = Learner.learn, io.StringIO()

    def interrupted(learner: Learner, *batch: Any) -> float:
        if learner.step == steps:
            raise KeyboardInterrupt
        return whole(learner, *batch)

    with pytest.MonkeyPatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Learner, "learn", interrupted)
        fit(planned, Console(file=file, width=300))
    return file.getvalue()


def assert_same(one: FitOptions, other: FitOptions) -> None:
    """The same weights to the bit, and the same story but for the seconds."""
    first, second = (checkpoint.read(options.output) for options in (one, other))
    assert [key for key in first.weights if not torch.equal(first.weights[key], second.weights[key])] == []
    histories = [[{**row, "seconds": 0} for row in found.provenance["history"]] for found in (first, second)]
    assert histories[0] == histories[1]
    assert first.provenance["schedules"] == second.provenance["schedules"]


def test_a_finished_run_goes_on_with_all_it_had_and_says_so(extended: tuple[FitOptions, str]) -> None:
    longer, said = extended
    assert (
        "the run, planned for 2 epochs, is extended to 4: from epoch 3 on the learning rates rise and fall again over "
        "the 2 epochs that are left; weights, optimiser state, averaged weights, history and the best weights so far "
        "are kept; it has been measured on the test split once before"
    ) in said
    assert "continuing after step 6 of 12" in said
    found = checkpoint.read(longer.output).provenance
    assert [row["epoch"] for row in found["history"]] == [1, 2, 3, 4]
    # Of each schedule the last epoch is at full size.
    assert [row["size"] for row in found["history"]] == [32, 48, 32, 48]
    assert found["schedules"] == [
        {"first_epoch": 1, "last_epoch": 2, "planned_epochs": 2, "schedule": "cosine", "warm_up": 0.1},
        {"first_epoch": 3, "last_epoch": 4, "planned_epochs": 2, "schedule": "cosine", "warm_up": 0.1},
    ]
    assert found["recipe"]["epochs"] == 4 and found["metrics"]["earlier_looks"] == 1
    first, second = found["command"].splitlines()
    assert " --epochs 2 " in first and "--resume" not in first
    assert " --epochs 4 " in second and " --resume " in second
    card = longer.output.with_suffix(".md").read_text(encoding="utf-8")
    assert "continue from one to the next: epochs 1 to 2 (cosine); epochs 3 to 4 (cosine)." in card
    assert "Earlier states of this run had been measured on these photos once." in card


def test_the_first_epochs_are_those_of_the_shorter_run(extended: tuple[FitOptions, str], ended: FitOptions) -> None:
    short, long = (checkpoint.read(options.output).provenance["history"] for options in (ended, extended[0]))
    assert [{**row, "seconds": 0} for row in short] == [{**row, "seconds": 0} for row in long[:2]]


@pytest.mark.parametrize("steps", [6, 7, 9])
def test_an_extended_run_that_is_stopped_ends_as_an_undisturbed_one(
    extended: tuple[FitOptions, str], again: FitOptions, steps: int
) -> None:
    """At the first step of the new schedule, within and between its epochs; bit for bit."""
    longer = replace(again, recipe=LONGER, resume=True)
    stopped_after(steps, longer)
    torch.manual_seed(99)
    said = printed_by(longer)
    assert "is extended" not in said and f"continuing after step {steps} of 12" in said
    assert_same(longer, extended[0])


def test_a_run_stopped_within_an_epoch_ends_that_epoch_as_it_began(planned: FitOptions) -> None:
    """Stopped in the first of two, extended to four: the second epoch begins the new schedule, of three epochs."""
    stopped_after(2, planned)
    longer = replace(planned, recipe=LONGER, resume=True)
    assert "from epoch 2 on the learning rates rise and fall again over the 3 epochs that are left" in printed_by(
        longer
    )
    found = checkpoint.read(longer.output).provenance
    assert [(row["first_epoch"], row["last_epoch"], row["planned_epochs"]) for row in found["schedules"]] == [
        (1, 1, 2),
        (2, 4, 3),
    ]
    assert [row["size"] for row in found["history"]] == [32, 32, 32, 48]
    assert "# stopped after epoch 1 of 2" in found["command"].splitlines()
    assert "epoch 1 (cosine, planned for 2 epochs); epochs 2 to 4" in longer.output.with_suffix(".md").read_text(
        encoding="utf-8"
    )


def test_a_probe_that_goes_on_with_more_epochs_is_as_one_that_was_asked_for_them(
    planned: FitOptions, tmp_path: Path
) -> None:
    """Nothing was trained before, so there is nothing to extend."""
    printed_by(replace(planned, phase="probe"))
    longer = replace(planned, recipe=LONGER, resume=True)
    assert "is extended" not in printed_by(longer)
    whole = replace(planned, recipe=LONGER, output=tmp_path / "whole.safetensors")
    printed_by(whole)
    assert_same(longer, whole)
    assert len(checkpoint.read(longer.output).provenance["schedules"]) == 1


def test_a_resumed_run_keeps_its_epochs_where_none_are_asked_for(planned: FitOptions) -> None:
    """The usual number of epochs is another: it neither extends the run nor is it refused as fewer."""
    fit(planned, Console(quiet=True))
    told = Console(file=io.StringIO(), width=200)
    fit(replace(planned, resume=True, epochs_asked=False, recipe=replace(RECIPE, epochs=8)), told)
    again = checkpoint.load(planned.output)[1].provenance
    assert "extended" not in told.file.getvalue()  # type: ignore[attr-defined]
    assert (again["recipe"]["epochs"], len(again["history"])) == (2, 2)


def test_the_command_of_an_extension_names_its_epochs_even_if_usual(planned: FitOptions) -> None:
    assert "--epochs 8" in command(replace(planned, resume=True, recipe=replace(RECIPE, epochs=8)))
    assert "--epochs" not in command(replace(planned, recipe=replace(RECIPE, epochs=8)))


def test_fewer_epochs_are_refused_with_what_to_do(planned: FitOptions) -> None:
    stopped_after(4, replace(planned, recipe=LONGER))
    with pytest.raises(BadRun, match=r"planned for 4 epochs, of which 1 are done, and 2 were asked for: .*--finish"):
        printed_by(replace(planned, resume=True))
    found = replace(planned, resume=True, finish=True)
    assert "kept: " in printed_by(found)
    story = checkpoint.read(found.output).provenance
    assert story["recipe"]["epochs"] == 4 and len(story["history"]) == 1


def test_another_change_is_refused_and_named_with_more_epochs_too(planned: FitOptions) -> None:
    stopped_after(1, planned)
    before = planned.folder.state_file.read_bytes()
    other = replace(LONGER, head_rate=0.5, seed=7)
    with pytest.raises(BadRun, match=r"had .*head_rate 0\.001, not 0\.5; seed 0, not 7.*: give the same options"):
        printed_by(replace(planned, recipe=other, resume=True))
    assert planned.folder.state_file.read_bytes() == before


def test_what_patience_ended_is_given_as_long_again(planned: FitOptions) -> None:
    """Rates that ruin the head: two epochs without anything better, twice."""
    ruinous = replace(RECIPE, epochs=6, patience=2, head_rate=50.0, backbone_rate=1e-9, clip=0.0)
    printed_by(replace(planned, recipe=ruinous))
    longer = replace(planned, recipe=replace(ruinous, epochs=9), resume=True)
    assert "from epoch 3 on" in printed_by(longer)
    found = checkpoint.read(longer.output).provenance
    assert found["kept"] == {"weights": "probe", "epoch": 0} and len(found["history"]) == 4
    ends = [(row["first_epoch"], row["last_epoch"], row["planned_epochs"]) for row in found["schedules"]]
    assert ends == [(1, 2, 6), (3, 4, 7)]


def test_the_best_so_far_is_kept_through_an_extension(planned: FitOptions) -> None:
    """The kept weights of the first part stand where nothing of the second is better."""
    ruinous = replace(RECIPE, epochs=1, head_rate=50.0, backbone_rate=1e-9, clip=0.0)
    printed_by(replace(planned, recipe=ruinous))
    before = dict(checkpoint.read(planned.output).weights)
    longer = replace(planned, recipe=replace(ruinous, epochs=2), resume=True)
    printed_by(longer)
    found = checkpoint.read(longer.output)
    assert found.provenance["kept"] == {"weights": "probe", "epoch": 0}
    assert all(torch.equal(tensor, found.weights[key]) for key, tensor in before.items())


def test_rates_rise_and_fall_in_each_span(planned: FitOptions) -> None:
    """Of six steps each the first is the warm-up and at the top; one that begins early cuts the one before."""
    run = Run(prepare(planned, Console(file=io.StringIO())), Console(file=io.StringIO()))
    run.plan = replace(run.plan, recipe=LONGER, stages=((0, 2), (2, 4)))
    rates = [run.learner("float32").rate(step) for step in range(12)]
    assert rates[:6] == pytest.approx(rates[6:]) and rates[0] == 1.0 and rates[5] < 0.2
    run.plan = replace(run.plan, stages=((0, 2), (1, 4)))
    cut = run.learner("float32").rate
    assert cut(2) == pytest.approx(0.5 * (1 + math.cos(math.pi / 5))) and cut(3) == 1.0

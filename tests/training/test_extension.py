"""Runs that are resumed with more epochs than they were planned for."""

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
"""The recipe of the extended run. An epoch has three steps: the run has 6 as planned, and 12 when it is extended."""


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
    """The options of the run as planned, in a folder of its own."""
    return fit_options(tmp_path, data, pretrained, cache)


def fit_options(folder: Path, data: Path, pretrained: Path, cache: Cache) -> FitOptions:
    return FitOptions(
        data=data,
        output=folder / "stripes.safetensors",
        architecture=ARCHITECTURE,
        recipe=RECIPE,
        weights=pretrained,
        runs=folder / "runs",
        cache=cache,
        robustness_photos=0,
        save_every_s=0.0,
    )


@pytest.fixture(scope="module", autouse=True)
def without_report() -> Iterator[None]:  # of the module, since its runs are, too
    """No report is written: it has tests of its own, and its plots take longer than a small run."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("training.afterwards.write_report", lambda *_: None)
        yield


@pytest.fixture(scope="module")
def ended(tmp_path_factory: pytest.TempPathFactory, data: Path, pretrained: Path, cache: Cache) -> FitOptions:
    """The options of the run as planned, which has ended."""
    options = fit_options(tmp_path_factory.mktemp("ended"), data, pretrained, cache)
    output_of(options)
    return options


@pytest.fixture
def again(ended: FitOptions, planned: FitOptions) -> FitOptions:
    """A copy of the ended run that a test may extend."""
    shutil.copytree(ended.runs, planned.runs)
    shutil.copy(ended.output, planned.output)
    return planned


@pytest.fixture(scope="module")
def extended(tmp_path_factory: pytest.TempPathFactory, ended: FitOptions) -> tuple[FitOptions, str]:
    """The options of the run of two epochs, extended to four, and what the second part printed."""
    folder = tmp_path_factory.mktemp("extended")
    shutil.copytree(ended.runs, folder / "runs")
    longer = replace(ended, output=folder / ended.output.name, runs=folder / "runs", recipe=LONGER, resume=True)
    return longer, output_of(longer)


def output_of(planned: FitOptions) -> str:
    """Run to the end; the printed text."""
    file = io.StringIO()
    fit(planned, Console(file=file, width=300))
    return file.getvalue()


def stop_after(steps: int, planned: FitOptions) -> str:
    """Run until Ctrl-C after this number of steps; the printed text."""
    whole, file = Learner.learn, io.StringIO()

    def interrupted(learner: Learner, *batch: Any) -> float:
        if learner.step == steps:
            raise KeyboardInterrupt
        return whole(learner, *batch)

    with pytest.MonkeyPatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Learner, "learn", interrupted)
        fit(planned, Console(file=file, width=300))
    return file.getvalue()


def assert_same(first_options: FitOptions, second_options: FitOptions) -> None:
    """Assert that both checkpoints have equal weights, histories (without seconds) and schedules."""
    first, second = (checkpoint.read(options.output) for options in (first_options, second_options))
    assert [key for key in first.weights if not torch.equal(first.weights[key], second.weights[key])] == []
    histories = [[{**row, "seconds": 0} for row in trained.provenance["history"]] for trained in (first, second)]
    assert histories[0] == histories[1]
    assert first.provenance["schedules"] == second.provenance["schedules"]


def test_a_finished_run_is_extended_and_says_what_it_continues_with(extended: tuple[FitOptions, str]) -> None:
    longer, output = extended
    assert (
        "the run, planned for 2 epochs, is extended to 4: from epoch 3 on the learning rates rise and fall again over "
        "the 2 epochs that are left; weights, optimiser state, averaged weights, history and the best weights so far "
        "are kept; it has been measured on the test split once before"
    ) in output
    assert "continuing after step 6 of 12" in output
    provenance = checkpoint.read(longer.output).provenance
    assert [row["epoch"] for row in provenance["history"]] == [1, 2, 3, 4]
    # Of each schedule the last epoch is at full size.
    assert [row["size"] for row in provenance["history"]] == [32, 48, 32, 48]
    assert provenance["schedules"] == [
        {"first_epoch": 1, "last_epoch": 2, "planned_epochs": 2, "schedule": "cosine", "warm_up": 0.1},
        {"first_epoch": 3, "last_epoch": 4, "planned_epochs": 2, "schedule": "cosine", "warm_up": 0.1},
    ]
    assert provenance["recipe"]["epochs"] == 4 and provenance["metrics"]["earlier_looks"] == 1
    first, second = provenance["command"].splitlines()
    assert " --epochs 2 " in first and "--resume" not in first
    assert " --epochs 4 " in second and " --resume " in second
    card = longer.output.with_suffix(".md").read_text(encoding="utf-8")
    assert "continue from one to the next: epochs 1 to 2 (cosine); epochs 3 to 4 (cosine)." in card
    assert "Earlier states of this run had been measured on these photos once." in card


def test_an_extended_run_has_the_first_epochs_of_the_shorter_run(
    extended: tuple[FitOptions, str], ended: FitOptions
) -> None:
    short, long = (checkpoint.read(options.output).provenance["history"] for options in (ended, extended[0]))
    assert [{**row, "seconds": 0} for row in short] == [{**row, "seconds": 0} for row in long[:2]]


@pytest.mark.parametrize("steps", [pytest.param(6, marks=pytest.mark.slow), 7, pytest.param(9, marks=pytest.mark.slow)])
def test_an_extended_run_that_is_stopped_ends_like_an_undisturbed_one(
    extended: tuple[FitOptions, str], again: FitOptions, steps: int
) -> None:
    """It stops at the first step of the new schedule, within and between its epochs; the weights are bit-identical."""
    longer = replace(again, recipe=LONGER, resume=True)
    stop_after(steps, longer)
    torch.manual_seed(99)
    output = output_of(longer)
    assert "is extended" not in output and f"continuing after step {steps} of 12" in output
    assert_same(longer, extended[0])


def test_a_run_stopped_within_an_epoch_ends_that_epoch_by_the_old_schedule(planned: FitOptions) -> None:
    """It stops in the first of two epochs and is extended to four: the new schedule has epochs 2 to 4."""
    stop_after(2, planned)
    longer = replace(planned, recipe=LONGER, resume=True)
    assert "from epoch 2 on the learning rates rise and fall again over the 3 epochs that are left" in output_of(longer)
    provenance = checkpoint.read(longer.output).provenance
    assert [(row["first_epoch"], row["last_epoch"], row["planned_epochs"]) for row in provenance["schedules"]] == [
        (1, 1, 2),
        (2, 4, 3),
    ]
    assert [row["size"] for row in provenance["history"]] == [32, 32, 32, 48]
    assert "# stopped after epoch 1 of 2" in provenance["command"].splitlines()
    assert "epoch 1 (cosine, planned for 2 epochs); epochs 2 to 4" in longer.output.with_suffix(".md").read_text(
        encoding="utf-8"
    )


@pytest.mark.slow
def test_a_probe_continued_with_more_epochs_is_like_one_run_with_them(planned: FitOptions, tmp_path: Path) -> None:
    """A probe has trained no epoch, so there is nothing to extend."""
    output_of(replace(planned, phase="probe"))
    longer = replace(planned, recipe=LONGER, resume=True)
    assert "is extended" not in output_of(longer)
    whole = replace(planned, recipe=LONGER, output=tmp_path / "whole.safetensors")
    output_of(whole)
    assert_same(longer, whole)
    assert len(checkpoint.read(longer.output).provenance["schedules"]) == 1


def test_a_run_resumed_without_the_option_epochs_keeps_its_number(planned: FitOptions) -> None:
    """The default number of epochs is another: it must not extend the run."""
    fit(planned, Console(quiet=True))
    console = Console(file=io.StringIO(), width=200)
    fit(replace(planned, resume=True, epochs_asked=False, recipe=replace(RECIPE, epochs=8)), console)
    again = checkpoint.load(planned.output)[1].provenance
    assert "extended" not in console.file.getvalue()  # type: ignore[attr-defined]
    assert (again["recipe"]["epochs"], len(again["history"])) == (2, 2)


def test_the_command_of_an_extension_names_its_epochs_even_if_they_are_the_default(planned: FitOptions) -> None:
    assert "--epochs 8" in command(replace(planned, resume=True, recipe=replace(RECIPE, epochs=8)))
    assert "--epochs" not in command(replace(planned, recipe=replace(RECIPE, epochs=8)))


def test_fewer_epochs_are_refused_and_the_error_names_the_option_finish(planned: FitOptions) -> None:
    stop_after(4, replace(planned, recipe=LONGER))
    with pytest.raises(BadRun, match=r"planned for 4 epochs, of which 1 are done, and 2 were asked for: .*--finish"):
        output_of(replace(planned, resume=True))
    options = replace(planned, resume=True, finish=True)
    assert "kept: " in output_of(options)
    provenance = checkpoint.read(options.output).provenance
    assert provenance["recipe"]["epochs"] == 4 and len(provenance["history"]) == 1


def test_any_other_change_is_refused_although_the_epochs_may_change(planned: FitOptions) -> None:
    stop_after(1, planned)
    before = planned.folder.state_file.read_bytes()
    other = replace(LONGER, head_rate=0.5, seed=7)
    with pytest.raises(BadRun, match=r"had .*head_rate 0\.001, not 0\.5; seed 0, not 7.*: give the same options"):
        output_of(replace(planned, recipe=other, resume=True))
    assert planned.folder.state_file.read_bytes() == before


@pytest.mark.slow
def test_a_run_that_patience_ended_gets_new_patience(planned: FitOptions) -> None:
    """Learning rates that ruin the head: both parts end after two epochs without better weights."""
    ruinous = replace(RECIPE, epochs=6, patience=2, head_rate=50.0, backbone_rate=1e-9, clip=0.0)
    output_of(replace(planned, recipe=ruinous))
    longer = replace(planned, recipe=replace(ruinous, epochs=9), resume=True)
    assert "from epoch 3 on" in output_of(longer)
    provenance = checkpoint.read(longer.output).provenance
    assert provenance["kept"] == {"weights": "probe", "epoch": 0} and len(provenance["history"]) == 4
    ends = [(row["first_epoch"], row["last_epoch"], row["planned_epochs"]) for row in provenance["schedules"]]
    assert ends == [(1, 2, 6), (3, 4, 7)]


def test_the_best_weights_of_the_first_part_may_be_those_of_the_extended_run(planned: FitOptions) -> None:
    """The learning rates ruin the head, so no epoch is better than the probe."""
    ruinous = replace(RECIPE, epochs=1, head_rate=50.0, backbone_rate=1e-9, clip=0.0)
    output_of(replace(planned, recipe=ruinous))
    before = dict(checkpoint.read(planned.output).weights)
    longer = replace(planned, recipe=replace(ruinous, epochs=2), resume=True)
    output_of(longer)
    extended_checkpoint = checkpoint.read(longer.output)
    assert extended_checkpoint.provenance["kept"] == {"weights": "probe", "epoch": 0}
    assert all(torch.equal(tensor, extended_checkpoint.weights[key]) for key, tensor in before.items())


def test_learning_rates_rise_and_fall_in_every_span(planned: FitOptions) -> None:
    """Both spans have six steps and start at the highest rate; a span that begins early cuts the one before it."""
    run = Run(prepare(planned, Console(file=io.StringIO())), Console(file=io.StringIO()))
    run.plan = replace(run.plan, recipe=LONGER, stages=((0, 2), (2, 4)))
    rates = [run.learner("float32").rate(step) for step in range(12)]
    assert rates[:6] == pytest.approx(rates[6:]) and rates[0] == 1.0 and rates[5] < 0.2
    run.plan = replace(run.plan, stages=((0, 2), (1, 4)))
    cut = run.learner("float32").rate
    assert cut(2) == pytest.approx(0.5 * (1 + math.cos(math.pi / 5))) and cut(3) == 1.0

from pathlib import Path
from typing import Any

import pytest
import torch

from training.recipe import Recipe
from training.run_folder import RunFolder
from training.run_state import BadRun, CandidateWeights, State, differences

IDENTITY: dict[str, Any] = {"data": "abc", "recipe": {"seed": 0, "epochs": 8}}


def test_a_candidate_is_better_by_accuracy_and_then_by_loss() -> None:
    usual = CandidateWeights("raw", 1, 0.9, 0.3, {})
    assert CandidateWeights("ema", 1, 0.91, 0.5, {}).beats(usual)
    assert CandidateWeights("ema", 1, 0.9, 0.2, {}).beats(usual)
    assert not CandidateWeights("ema", 1, 0.9, 0.3, {}).beats(usual)
    assert not CandidateWeights("ema", 1, 0.89, 0.1, {}).beats(usual)


def test_differences_are_named_with_both_values() -> None:
    assert differences({"a": 1, "b": {"c": [1, 2]}}, {"a": 1, "b": {"c": [1, 3]}}) == ["c 1, 2, not 1, 3"]
    assert differences(IDENTITY, IDENTITY) == []


EARLIER: dict[str, Any] = {
    "identity": {
        "architecture": "mobilenet_v2",
        "classes": ["a", "b"],
        "recipe": {"seed": 0, "epochs": 8, "head_rate": 0.5, "trunk_rate": 0.25},
        "data": "d" * 64,
        "split": "5" * 64,
        "parent": "a" * 64,
    },
    "precision": "float32",
    "kept": {
        "name": "ema",
        "epoch": 2,
        "accuracy": 0.75,
        "nll": 0.5,
        "weights": {"weight": torch.tensor([1.0, 2.0])},
        "balanced_accuracy": 0.625,
    },
    "history": [{"epoch": 1, "loss": 0.25}],
    "losses": [0.5],
    "learner": {"step": 7},
    "looks": 1,
    "stages": [[0, 4], [4, 8]],
}
"""A state as versions up to 0.1.0 saved it: pretrained weights were called `parent`, the backbone `trunk`."""


def identity_today(**recipe: Any) -> dict[str, Any]:
    """The identity of the same run with the present names, and an option that earlier versions did not have."""
    identity = {name: value for name, value in EARLIER["identity"].items() if name != "parent"}
    options = {"seed": 0, "epochs": 8, "head_rate": 0.5, "backbone_rate": 0.25, "clip": Recipe().clip}
    return {**identity, "weights": "a" * 64, "recipe": {**options, **recipe}}


@pytest.fixture
def earlier(tmp_path: Path) -> RunFolder:
    """The folder of a run that an earlier version began."""
    torch.save(EARLIER, tmp_path / "state.pt")
    return RunFolder(tmp_path)


def test_a_run_of_an_earlier_version_is_continued(earlier: RunFolder) -> None:
    state = earlier.load_state(identity_today())
    assert state is not None and state.identity == identity_today()
    assert (state.best.name, state.best.epoch, state.best.accuracy, state.best.nll) == ("ema", 2, 0.75, 0.5)
    assert state.best.balanced_accuracy == 0.625 and state.best.weights["weight"].tolist() == [1.0, 2.0]
    assert (state.history, state.losses, state.learner) == ([{"epoch": 1, "loss": 0.25}], [0.5], {"step": 7})
    assert (state.looks, state.stages, state.precision) == (1, [[0, 4], [4, 8]], "float32")
    earlier.save_state(state)
    again = earlier.load_state(identity_today())
    assert again is not None and again.identity == state.identity and vars(again.best).keys() == vars(state.best).keys()


def test_a_run_of_an_earlier_version_is_compared_with_the_present_options(earlier: RunFolder) -> None:
    with pytest.raises(BadRun, match=r"had backbone_rate 0\.25, not 0\.125: give the same options"):
        earlier.load_state(identity_today(backbone_rate=0.125))
    with pytest.raises(BadRun, match=r"had weights a{12}\.\.\., not b{12}\.\.\."):
        earlier.load_state({**identity_today(), "weights": "b" * 64})
    with pytest.raises(BadRun, match=r"had clip 1\.0, not 2\.0"):
        earlier.load_state(identity_today(clip=2.0))


def test_a_file_without_a_complete_state_is_damaged(earlier: RunFolder) -> None:
    for content in ([1, 2], {**EARLIER, "kept": {}}, {**EARLIER, "identity": {}}, {**EARLIER, "more": 1}):
        torch.save(content, earlier.state_file)
        with pytest.raises(BadRun, match="is damaged"):
            earlier.load_state(identity_today())


def test_the_file_keeps_the_names_that_earlier_versions_read(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    folder.save_state(State(IDENTITY, "float32", CandidateWeights("raw", 1, 0.5, 0.7, {})))
    assert torch.load(folder.state_file, weights_only=True).keys() == EARLIER.keys()

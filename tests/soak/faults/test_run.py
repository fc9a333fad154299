"""The table of faults, how their outcomes are put together, and one real fault against a real service."""

from pathlib import Path

import pytest

from soak.faults import run
from soak.faults.run import BESIDE, FAULTS, faults, together
from soak.faults.scene import Scene
from soak.outcome import Outcome
from soak.service import NotStarted


def test_figures_and_problems_have_the_name_of_their_fault() -> None:
    one, other = Outcome({"ready_again_s": 0.1}), Outcome({"ready_again_s": 2.0}, ["too late"])
    whole = together({"nan": one, "hang": other})
    assert whole.figures == {"faults": 2, "nan_ready_again_s": 0.1, "hang_ready_again_s": 2.0}
    assert whole.problems == ["hang: too late"]


def test_a_fault_that_cannot_be_planted_is_a_problem_and_the_others_are_planted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Also those that run beside the others."""

    def dies(scene: Scene) -> Outcome:
        raise NotStarted("its log ends here")

    def breaks(scene: Scene) -> Outcome:
        raise ValueError("no such file")

    planted: list[Path] = []

    def works(scene: Scene) -> Outcome:
        planted.append(scene.folder)
        return Outcome({"ready_again_s": 0.0})

    monkeypatch.setattr(run, "FAULTS", {BESIDE[0]: dies, "breaks": breaks, "works": works})
    outcome = faults()
    assert outcome.problems == [
        f"{BESIDE[0]}: its log ends here",
        "breaks: it could not be planted or judged: ValueError: no such file",
    ]
    assert outcome.figures["works_ready_again_s"] == 0.0 and len(planted) == 1
    assert not planted[0].exists(), "the folder of the run is removed"
    assert faults(only="works").problems == []
    with pytest.raises(KeyError):
        faults(only="unknown")


def test_each_fault_is_documented() -> None:
    """The table in docs/reference/operations.md has the answer of each by its name in the soak."""
    text = (Path(__file__).parents[3] / "docs" / "reference" / "operations.md").read_text(encoding="utf-8")
    assert [name for name in FAULTS if f"`{name}`" not in text] == []


def test_a_real_fault_has_its_documented_answer() -> None:
    """A pass for which there is no memory costs one picture, beside neighbours that are answered."""
    outcome = faults(only="memory_error")
    assert outcome.problems == []
    assert outcome.figures["memory_error_victims"] == "503 200"


@pytest.mark.slow
@pytest.mark.parametrize("name", ["cache_falsified", "idle_decoders_killed", "log_closed"])
def test_further_real_faults(name: str) -> None:
    assert faults(only=name).problems == []

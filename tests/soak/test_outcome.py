"""What a part of a long run reports, and the file of results."""

import json
from pathlib import Path

from soak.outcome import Outcome, timed, write


def test_only_broken_promises_are_problems() -> None:
    outcome = Outcome({"longest_s": 3.0})
    outcome.expect("answered after 3.0 s, at most 4 s are promised", kept=True)
    outcome.expect("answered after 3.0 s, at most 2 s are promised", kept=False)
    assert outcome.problems == ["answered after 3.0 s, at most 2 s are promised"]


def test_the_file_has_every_part_and_the_machine(tmp_path: Path) -> None:
    outcome = timed(lambda: Outcome({"requests": 3}, ["one was lost"]))
    write({"stop": outcome}, tmp_path / "results.json")
    report = json.loads((tmp_path / "results.json").read_text(encoding="utf-8"))
    assert report["parts"] == {"stop": {"figures": {"requests": 3}, "problems": ["one was lost"], "seconds": 0.0}}
    assert report["machine"].keys() == {"processor", "cores", "python", "torch", "system"}
    assert report["machine"]["cores"] >= 1

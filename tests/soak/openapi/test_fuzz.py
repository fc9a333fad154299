"""How runs of Schemathesis are started, counted and judged, with a program in its place that writes a report."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from soak.openapi import fuzz as module
from soak.openapi.fuzz import Round, fuzz
from soak.outcome import Outcome

STAND_IN = """
import json, sys, time
path = next(part.partition("=")[2] for part in sys.argv if part.startswith("--report-json-path="))
open(LOG, "a").write(json.dumps(sys.argv[1:]) + chr(10))
try:
    time.sleep(SLEEP)
except KeyboardInterrupt:
    pass
open(path, "w").write(json.dumps(REPORT))
"""
CLEAN = {"failures": [], "errors": [], "test_cases": {"generated": 40}}
FOUND = CLEAN | {"failures": [{"title": "Undocumented HTTP status code", "operations": ["GET /models"]}]}


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """Return a function that sets the report, and returns the log of the arguments of all runs."""

    @contextmanager
    def no_service(folder: Path, **settings: object) -> Iterator[Any]:
        yield SimpleNamespace(url="http://test")

    def install(report: Any, *, sleep_s: float = 0) -> Path:
        log, program = tmp_path / "log", tmp_path / "stand_in.py"
        text = STAND_IN.replace("LOG", repr(str(log))).replace("SLEEP", str(sleep_s)).replace("REPORT", repr(report))
        program.write_text(text)
        monkeypatch.setattr(module, "running_service", no_service)
        monkeypatch.setattr(module, "PROGRAM", (sys.executable, str(program)))
        return log

    return install


def runs(log: Path) -> list[list[str]]:
    """Return the arguments of each run."""
    return [json.loads(line) for line in log.read_text().splitlines()]


def test_rounds_go_on_until_enough_requests_were_sent(stand_in: Any) -> None:
    """40 requests a round, 50 for each of two services: two rounds each, the first with all phases, seeds in turn."""
    log = stand_in(CLEAN)
    assert fuzz(cases=100, minutes=10, seed=7) == Outcome({"requests": 160}, [])
    seeds = [part for run in runs(log) for part in run if part.startswith("--seed")]
    assert seeds == ["--seed=7", "--seed=8"] * 2
    assert ["--phases=examples,coverage,fuzzing,stateful" in run for run in runs(log)] == [True, False] * 2
    keys = [any(part.startswith("X-API-Key: ") for part in run) for run in runs(log)]
    assert keys == [False, False, True, True]
    assert all("--checks=all" in run for run in runs(log))


def test_what_was_found_is_named_and_ends_the_rounds(stand_in: Any) -> None:
    log = stand_in(FOUND)
    assert fuzz(cases=1000, minutes=10, seed=0).problems == ["Undocumented HTTP status code (GET /models)"] * 2
    assert len(runs(log)) == 2


@pytest.mark.slow
def test_a_run_that_reaches_its_time_is_interrupted_and_counted(stand_in: Any) -> None:
    """Without the interruption it would sleep for an hour."""
    log = stand_in(CLEAN, sleep_s=3600)
    assert fuzz(cases=1000, minutes=0.2, seed=0) == Outcome({"requests": 80}, [])
    assert len(runs(log)) == 2


@pytest.mark.parametrize(
    ("report", "problem"),
    [
        (CLEAN | {"errors": ["no schema"]}, "error of Schemathesis: no schema"),
        (CLEAN | {"test_cases": {"generated": 0}}, "Schemathesis has sent no request"),
    ],
)
def test_a_round_that_could_not_look_is_a_failure(report: dict[str, Any], problem: str) -> None:
    assert Round.of_report(report).problems == (problem,)


def test_a_run_without_a_report_is_a_failure(monkeypatch: pytest.MonkeyPatch, stand_in: Any) -> None:
    stand_in(CLEAN)
    monkeypatch.setattr(module, "PROGRAM", (sys.executable, "-c", "raise SystemExit(3)"))
    problems = fuzz(cases=2, minutes=10, seed=0).problems
    assert problems == ["Schemathesis has ended with exit code 3 and without a report"] * 2

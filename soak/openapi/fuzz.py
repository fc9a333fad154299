"""Runs Schemathesis against a service without and one with API keys, round after round, until enough was tried."""

import json
import os
import secrets
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from soak.outcome import Outcome
from soak.service import REPOSITORY, running_service

SETTINGS = Path(__file__).with_name("schemathesis.toml")
PROGRAM = (sys.executable, "-m", "schemathesis.cli")
KEY_HEADER = "X-API-Key"
DEADLINE_S = 0.2
"""Deadline of the service's requests: an ideal picture or an attack would otherwise take most of the time of a run."""
EXAMPLES = 40
"""Number of generated requests of each kind, to each operation, in a round."""
LAST_WORDS_S = 120
"""Seconds in which an interrupted round must write its report."""


@dataclass(frozen=True)
class Round:
    """What one run of Schemathesis has done: `problems` describes each failure, and is empty if nothing was found."""

    cases: int
    problems: tuple[str, ...]

    @classmethod
    def of_report(cls, report: dict[str, Any]) -> "Round":
        """The round that a JSON report of Schemathesis describes."""
        failures = [f"{entry['title']} ({', '.join(entry['operations'])})" for entry in report["failures"]]
        errors = [f"error of Schemathesis: {str(entry)[:500]}" for entry in report["errors"]]
        generated = int(report["test_cases"]["generated"])
        if not generated:
            errors.append("Schemathesis has sent no request")
        return cls(generated, (*failures, *errors))


def fuzz(*, cases: int, minutes: float, seed: int) -> Outcome:
    """Send at least so many requests, half of them to each service, or as many as the time allows.

    Each round has a seed of its own, counted from `seed`, and the first one to each service tries all phases of
    Schemathesis. The output of Schemathesis is printed. A service in which something was found gets no further rounds.
    """
    rounds: list[Round] = []
    for key in ("", secrets.token_urlsafe(24)):
        until = time.monotonic() + minutes * 60 / 2
        with (
            tempfile.TemporaryDirectory() as folder,
            running_service(Path(folder), deadline_s=DEADLINE_S, api_keys=key, log_level="warning") as service,
        ):
            sent = 0
            for number in range(cases):  # a round sends one request at least
                phases = "examples,coverage,fuzzing,stateful" if number == 0 else "fuzzing,stateful"
                arguments = [f"--seed={seed + number}", f"--phases={phases}"]
                rounds.append(_run(service.url, key, arguments, Path(folder) / "report.json", until))
                sent += rounds[-1].cases
                if rounds[-1].problems or sent >= cases / 2 or time.monotonic() >= until:
                    break
    problems = [text for round in rounds for text in round.problems]
    return Outcome({"requests": sum(round.cases for round in rounds)}, problems)


def _run(url: str, key: str, arguments: Sequence[str], report: Path, until: float) -> Round:
    """One run of Schemathesis, which is interrupted at the time `until`, on the clock of time.monotonic()."""
    command = [
        *(*PROGRAM, "--config-file", str(SETTINGS)),
        *("run", f"{url}/openapi.json", "--checks=all", f"--max-examples={EXAMPLES}", "--no-color"),
        *("--report=json", f"--report-json-path={report}", *arguments),
        *(("-H", f"{KEY_HEADER}: {key}") if key else ()),
    ]
    report.unlink(missing_ok=True)
    # A shell lets its background jobs, and what these start, ignore SIGINT: then a round could not be interrupted.
    heed = (lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)) if os.name == "posix" else None
    process = subprocess.Popen(command, cwd=REPOSITORY, preexec_fn=heed)
    try:
        process.wait(max(until - time.monotonic(), 1))
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGINT)
        process.wait(LAST_WORDS_S)
    finally:
        process.kill()
        process.wait()
    if not report.is_file() or not report.stat().st_size:
        return Round(0, (f"Schemathesis has ended with exit code {process.returncode} and without a report",))
    return Round.of_report(json.loads(report.read_text(encoding="utf-8")))

"""What was seen of a service that stopped, and which promises that breaks."""

from collections.abc import Sequence
from dataclasses import dataclass

from soak.outcome import Outcome
from soak.traffic.client import End, Exchange

EARLY_S = 0.3
"""Seconds that the port may seem to close before its time: those between two probes, and what a probe takes."""
HURRY_S = 3.0
"""Seconds after a second signal when the process must have ended."""
READY_S = 10.0
"""Seconds within which a service is ready that is started again after kill -9."""
ANSWERS = (200, 503, 504)


@dataclass(frozen=True)
class Probe:
    """A request to the readiness probe on a new connection; without a status, nobody listened any more."""

    begun: float
    status: int | None


@dataclass(frozen=True)
class Stop:
    """A stop by SIGTERM: times are on the clock of time.monotonic(); `exit_code` is None if it did not end in time."""

    signalled_at: float
    ended_at: float
    exit_code: int | None
    probes: Sequence[Probe]
    exchanges: Sequence[Exchange]
    drain_s: float
    stop_s: float

    @property
    def open_until(self) -> float:
        """When the port was seen open for the last time."""
        return max((probe.begun for probe in self.probes if probe.status is not None), default=self.signalled_at)

    @property
    def unready_at(self) -> float | None:
        """When the probe answered 503 for the first time after the signal."""
        after = (probe.begun for probe in self.probes if probe.status == 503 and probe.begun >= self.signalled_at)
        return min(after, default=None)


def judge_stop(stop: Stop) -> Outcome:
    """Figures and broken promises of a stop in steps."""
    outcome = Outcome()
    open_s, ended_s = stop.open_until - stop.signalled_at, stop.ended_at - stop.signalled_at
    unready_s = None if stop.unready_at is None else stop.unready_at - stop.signalled_at
    before = [one for one in stop.exchanges if one.begun <= stop.open_until]
    draining = [one for one in before if stop.unready_at is not None and one.begun >= stop.unready_at]
    served = sum(one.status == 200 for one in draining)
    outcome.figures |= {
        "unready_after_s": None if unready_s is None else round(unready_s, 2),
        "port_open_for_s": round(open_s, 2),
        "ended_after_s": round(ended_s, 2),
        "exit_code": stop.exit_code,
        "requests": len(before),
        "served_while_draining": served,
        "refused_after_signal": sum(one.is_refused and one.begun >= stop.signalled_at for one in before),
        "unanswered_after_the_port_was_closed": len(_unanswered(stop.exchanges)) - len(_unanswered(before)),
    }
    outcome.expect(
        "the readiness probe answers 503 while the port is still open, but it never did", kept=unready_s is not None
    )
    outcome.expect(
        f"the port stays open for {stop.drain_s:g} s, but it was open for {open_s:.1f} s",
        kept=open_s >= stop.drain_s - EARLY_S,
    )
    outcome.expect("requests are served while the probe says 503, but none was", kept=served > 0)
    _expect_answers(before, outcome)
    outcome.expect(
        f"the process ends within {stop.stop_s:g} s, but it took {ended_s:.1f} s",
        kept=stop.exit_code is not None and ended_s <= stop.stop_s,
    )
    outcome.expect(f"the exit code is 0, but it is {stop.exit_code}", kept=stop.exit_code == 0)
    return outcome


def judge_hurry(exchanges: Sequence[Exchange], ended_s: float, exit_code: int | None) -> Outcome:
    """Figures and broken promises of a second signal; `ended_s` are the seconds between it and the end."""
    outcome = Outcome({"ended_after_second_signal_s": round(ended_s, 2), "exit_code_after_second_signal": exit_code})
    outcome.figures["requests_at_second_signal"] = len(exchanges)
    outcome.expect(
        f"the process ends within {HURRY_S:g} s after a second signal, but it took {ended_s:.1f} s",
        kept=exit_code is not None and ended_s <= HURRY_S,
    )
    _expect_answers(exchanges, outcome)
    return outcome


def judge_kill(ready_s: float, orphans: int, before: Sequence[object], after: Sequence[object]) -> Outcome:
    """Figures and broken promises of kill -9 and another start: its answers before and after, which must be equal."""
    outcome = Outcome({"ready_after_kill_s": round(ready_s, 2)})
    outcome.expect(
        f"after kill -9 the service is ready again within {READY_S:g} s, but it took {ready_s:.1f} s",
        kept=ready_s <= READY_S,
    )
    outcome.expect(f"decoder processes end with the service, but {orphans} lived on", kept=not orphans)
    wrong = sum(one != other for one, other in zip(before, after, strict=True))
    outcome.expect(f"answers after kill -9 are those from before, but {wrong} differ", kept=not wrong)
    return outcome


def _unanswered(exchanges: Sequence[Exchange]) -> list[Exchange]:
    return [one for one in exchanges if one.end in (End.lost, End.hung)]


def _expect_answers(exchanges: Sequence[Exchange], outcome: Outcome) -> None:
    """Each request has a result, or a refusal that says when to try again."""
    lost = _unanswered(exchanges)
    operations = ", ".join(sorted({one.request.operation for one in lost}))
    outcome.expect(f"no request is lost, but {len(lost)} were ({operations})", kept=not lost)
    odd = sorted({one.status for one in exchanges if one.status is not None and one.status not in ANSWERS})
    outcome.expect(f"requests get a result or a refusal, but there were answers of {odd}", kept=not odd)
    silent = [one for one in exchanges if one.answer and one.is_refused and one.answer.retry_after_s is None]
    outcome.expect(f"refusals have Retry-After, but {len(silent)} have none", kept=not silent)

"""What was measured of a service under load, and which promises that breaks."""

import math
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from soak.outcome import Outcome
from soak.traffic.client import End, Exchange

SLOWER = 2.0
"""How many times as long as at capacity the slowest of a hundred classifications may take."""
ATTACKS_SHARE = 0.25
"""Part of the network's time that attacks have at least, of the 40 % that all but classifications are promised."""
OBEDIENT = 0.8
"""Part of the refused clients that find a place when they come back as they were told."""
GROWTH = 1.1
"""How many times as much memory as before the service may take a minute later."""
SLACK_S = 2.0
"""Seconds after the deadline of the service within which it answers: the step that runs is finished, and the answer is
sent. Where the request has a deadline of its own, its best result is verified after it, with up to 16 queries."""
EXAMPLE_BYTES = 500
"""How much is shown of an answer that is not expected."""
VERIFIED_S = 10.0
"""Seconds after a request's own deadline within which its best result is verified, encoded and sent."""


@dataclass(frozen=True)
class Measured:
    """What was measured; `deadline_s` is that of the service, and memory is in bytes.

    `documented` has the statuses that the OpenAPI document lists for each operation. `computed_s` are the seconds of
    the network's work by operation under overload. `left_over` counts what was still under way in the end.
    """

    at_capacity: Sequence[Exchange]
    overloaded: Sequence[Exchange]
    documented: Mapping[str, Collection[int]]
    computed_s: Mapping[str, float]
    deadline_s: float
    memory_limit: int
    memory_before: int
    memory_peak: int
    memory_after: int
    left_over: Mapping[str, float] = field(default_factory=dict)


def quantile(values: Iterable[float], fraction: float) -> float:
    """The nearest-rank quantile; NaN of nothing."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(fraction * len(ordered)) - 1)] if ordered else math.nan


def seconds_of(exchanges: Iterable[Exchange], operation: str) -> list[float]:
    """The seconds of the operation's requests that succeeded."""
    return [one.seconds for one in exchanges if one.request.operation == operation and one.status == 200]


def judge(measured: Measured) -> Outcome:
    """Figures and broken promises."""
    outcome = Outcome()
    _count(measured, outcome)
    _answers(measured, outcome)
    _deadlines(measured, outcome)
    _latency(measured, outcome)
    _shares(measured, outcome)
    _retries(measured.overloaded, outcome)
    _memory(measured, outcome)
    for name, value in measured.left_over.items():
        outcome.expect(f"nothing is under way after the run, but {name} is {value:g}", kept=value == 0)
    return outcome


def _count(measured: Measured, outcome: Outcome) -> None:
    ends = Counter(one.end for one in measured.overloaded)
    refused = sum(one.is_refused for one in measured.overloaded)
    succeeded = Counter(one.request.operation for one in measured.overloaded if one.status == 200)
    outcome.figures |= {f"succeeded{operation}": number for operation, number in sorted(succeeded.items())}
    outcome.figures |= {
        "requests": len(measured.overloaded),
        "succeeded": sum(one.status == 200 for one in measured.overloaded),
        "refused": refused,
        "left": ends[End.left],
        "timed_out": sum(one.status == 504 for one in measured.overloaded),
    }
    too_soon = sum(one.is_refused for one in measured.at_capacity)
    outcome.expect(f"nobody is refused at capacity, but {too_soon} were", kept=not too_soon)


def _answers(measured: Measured, outcome: Outcome) -> None:
    """Every request that its client waited for has a documented answer, and refusals say when to come back."""
    exchanges = [*measured.at_capacity, *measured.overloaded]
    for end in (End.lost, End.hung, End.no_connection):
        number = sum(one.end is end for one in exchanges)
        outcome.expect(f"every request is answered, but {number} ended so: {end}", kept=not number)
    statuses = Counter((one.request.operation, one.status) for one in exchanges if one.status is not None)
    for (operation, status), number in sorted(statuses.items()):
        expected = status in {200, 503, 504} & set(measured.documented.get(operation, ()))
        example = next(one.answer.body for one in exchanges if one.answer is not None and one.status == status)
        outcome.expect(
            f"{number} requests for {operation} were answered with {status}, such as {example[:EXAMPLE_BYTES]!r}",
            kept=expected,
        )
    silent = sum(one.answer is not None and one.is_refused and not one.answer.retry_after_s for one in exchanges)
    outcome.expect(f"refusals have Retry-After, but {silent} have none", kept=not silent)
    broken = [one.answer.body for one in exchanges if one.answer is not None and b"event: problem" in one.answer.body]
    odd = sum(not any(b'"status":%d' % status in body for status in (503, 504)) for body in broken)
    outcome.figures["event_streams_with_a_problem"] = len(broken)
    outcome.expect(f"event streams end with a result, 503 or 504, but {odd} did not", kept=not odd)


def _deadlines(measured: Measured, outcome: Outcome) -> None:
    admitted = [one for one in [*measured.at_capacity, *measured.overloaded] if one.answer and not one.is_refused]
    plain = [one.seconds - measured.deadline_s for one in admitted if one.request.deadline_s is None]
    own = [one.seconds - one.request.deadline_s for one in admitted if one.request.deadline_s is not None]
    for name, late, allowed_s in (("the service's", plain, SLACK_S), ("their own", own, VERIFIED_S)):
        latest_s = max(late, default=0.0)
        figure = "after_own_deadline_s" if late is own else "after_service_deadline_s"
        outcome.figures[figure] = round(latest_s, 2)
        outcome.expect(
            f"requests are answered within {allowed_s:g} s after {name} deadline, but one took {latest_s:.1f} s",
            kept=latest_s <= allowed_s,
        )


def _latency(measured: Measured, outcome: Outcome) -> None:
    before = seconds_of(measured.at_capacity, "/classify")
    under_load = seconds_of(measured.overloaded, "/classify")
    slowest, slowest_before = quantile(under_load, 0.99), quantile(before, 0.99)
    outcome.figures |= {
        "classify_p50_at_capacity_s": round(quantile(before, 0.5), 3),
        "classify_p99_at_capacity_s": round(slowest_before, 3),
        "classify_p50_s": round(quantile(under_load, 0.5), 3),
        "classify_p99_s": round(slowest, 3),
        "classify_p99_ratio": round(slowest / slowest_before, 2) if before and under_load else None,
    }
    outcome.expect(
        f"the p99 of /classify is at most {SLOWER:g} times that at capacity ({slowest_before:.2f} s), "
        f"but it is {slowest:.2f} s",
        kept=slowest <= SLOWER * slowest_before,
    )


def _shares(measured: Measured, outcome: Outcome) -> None:
    total = sum(measured.computed_s.values())
    shares = {operation: seconds / total for operation, seconds in measured.computed_s.items() if total}
    for operation, share in sorted(shares.items()):
        outcome.figures[f"share_of_network_percent{operation}"] = round(100 * share, 1)
    attacks = shares.get("/adversarial", 0.0)
    outcome.expect(
        f"attacks have {100 * ATTACKS_SHARE:g} % of the network's time at least, but they had {100 * attacks:.0f} %",
        kept=attacks >= ATTACKS_SHARE,
    )


def _retries(exchanges: Sequence[Exchange], outcome: Outcome) -> None:
    came_back = [one for one in exchanges if one.is_retry and one.answer is not None]
    admitted = sum(not one.is_refused for one in came_back)
    share = admitted / len(came_back) if came_back else None
    outcome.figures |= {
        "obedient_retries": len(came_back),
        "obedient_retries_admitted_percent": None if share is None else round(100 * share, 1),
    }
    outcome.expect(
        f"{100 * OBEDIENT:g} % of the clients that come back as told find a place, "
        f"but {admitted} of {len(came_back)} did",
        kept=share is None or share >= OBEDIENT,
    )


def _memory(measured: Measured, outcome: Outcome) -> None:
    for name in ("memory_limit", "memory_before", "memory_peak", "memory_after"):
        outcome.figures[f"{name}_mb"] = round(getattr(measured, name) / 1e6)
    outcome.expect(
        f"the service takes MIRAGE_MEMORY at most ({measured.memory_limit / 1e6:.0f} MB), "
        f"but it took {measured.memory_peak / 1e6:.0f} MB",
        kept=measured.memory_peak <= measured.memory_limit,
    )
    outcome.expect(
        f"the service takes at most {GROWTH:g} times its memory from before ({measured.memory_before / 1e6:.0f} MB) "
        f"a while after the run, but it takes {measured.memory_after / 1e6:.0f} MB",
        kept=measured.memory_after <= GROWTH * measured.memory_before,
    )

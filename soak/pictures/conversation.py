"""What clients see of a service to which they send damaged pictures: the answers, and which of them break a promise."""

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import httpx

from soak.outcome import Figure, Outcome

ALLOWED = {200, 413, 415, 422}
"""Statuses of an answer to a damaged picture, beside those of a service that has no room (BUSY)."""
BUSY = {503, 504}
"""Statuses of a request for which there is no memory, or no time until its deadline; 503 says when to come back."""


@dataclass(frozen=True)
class Answer:
    """The status of one request and the seconds until its response was there; no status if the connection was lost."""

    name: str
    status: int | None
    seconds: float
    has_retry_after: bool = False
    text: str = ""

    @property
    def fault(self) -> str:
        """What is wrong with it as an answer to a damaged picture; empty if nothing is."""
        if self.status is None:
            return f"{self.name}: no answer after {self.seconds:.1f} s ({self.text})"
        if self.status == 503 and not self.has_retry_after:
            return f"{self.name}: the answer 503 has no Retry-After"
        if self.status in ALLOWED | BUSY:
            return ""
        return f"{self.name}: the answer was {self.status} ({self.text})"


def ask(client: httpx.Client, name: str, path: str, **request: object) -> Answer:
    """Send one request by POST, with httpx's own options."""
    begun = time.monotonic()
    try:
        response = client.post(path, **request)  # type: ignore[arg-type]
    except httpx.HTTPError as error:
        return Answer(name, None, time.monotonic() - begun, text=f"{type(error).__name__}: {error}")
    seconds, text = time.monotonic() - begun, response.text[:200] if response.status_code >= 400 else ""
    return Answer(name, response.status_code, seconds, "Retry-After" in response.headers, text)


def judged(answers: Sequence[Answer], neighbour: Sequence[Answer], probes: Sequence[Answer]) -> Outcome:
    """The figures of a run, and the promises that it broke.

    `answers` are those to damaged pictures, `neighbour` those to good pictures that another client sent at the same
    time, which must all be 200, and `probes` those of the readiness probe, which must be so, too.
    """
    figures: dict[str, Figure] = {
        "requests": len(answers),
        **{
            f"answers_{status}": number
            for status, number in sorted(Counter(str(one.status) for one in answers).items())
        },
        "longest_answer_s": round(max((one.seconds for one in answers), default=0), 2),
        "neighbour_requests": len(neighbour),
        "neighbour_longest_s": round(max((one.seconds for one in neighbour), default=0), 2),
        "probes": len(probes),
    }
    outcome = Outcome(figures, [one.fault for one in answers if one.fault])
    for role, others in (("the neighbour's good picture", neighbour), ("the readiness probe", probes)):
        outcome.expect(f"{role} was never sent", kept=len(others) > 0)
        for one in others:
            outcome.expect(f"{role} got {one.status} after {one.seconds:.1f} s ({one.text})", kept=one.status == 200)
    return outcome

"""Whether each answer is wholly that of one version of the model, and which promises are broken otherwise."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from soak.outcome import Outcome
from soak.traffic.client import Exchange

Json = dict[str, Any]
"""A JSON object of the service."""
TOLERANCE = 1e-4
"""Largest difference of a probability to that of the same picture alone, by the rounding of other batches."""
TOP = {"/explain": "top", "/adversarial": "original"}
"""Field of each operation's result that has the most probable class of the picture that was sent."""
VISIBLE_S = 30.0
"""Seconds within which a new file must be served, or refused."""

Probabilities = Mapping[str, float]
"""Of each class, by its name."""


@dataclass(frozen=True)
class Version:
    """What one version of the model says of each picture, alone."""

    version: str
    pictures: Mapping[str, Probabilities]

    @property
    def labels(self) -> set[str]:
        """The names of its classes."""
        return {label for known in self.pictures.values() for label in known}


@dataclass(frozen=True)
class Swap:
    """A file that took the place of another: `seconds` until GET /models told, None if it did not within VISIBLE_S."""

    is_good: bool
    seconds: float | None


@dataclass(frozen=True)
class Asked:
    """What a request asked for: an operation, and the names of its pictures."""

    operation: str
    pictures: tuple[str, ...]


@dataclass(frozen=True)
class Changed:
    """A picture that an attack returned: the version that it names, and what that says of the picture."""

    version: str
    label: str
    probability: float
    image: str = field(repr=False)


def judge(
    swaps: Sequence[Swap], exchanges: Sequence[Exchange], faults: Sequence[str], versions: Counter[str]
) -> Outcome:
    """Figures and broken promises; `faults` are those of the answers, `versions` how many each version gave."""
    good = [swap.seconds for swap in swaps if swap.is_good and swap.seconds is not None]
    outcome = Outcome(
        {
            "requests": len(exchanges),
            "swaps": len(good),
            "files_refused": sum(not swap.is_good and swap.seconds is not None for swap in swaps),
            "swap_mean_s": round(sum(good) / len(good), 2) if good else None,
            "swap_longest_s": round(max(good), 2) if good else None,
            "versions": len(versions),
            "least_answers_of_a_version": min(versions.values(), default=0),
        }
    )
    unseen = sum(swap.seconds is None for swap in swaps)
    outcome.expect(
        f"GET /models tells within {VISIBLE_S:g} s that a file is served or refused, but {unseen} times it did not",
        kept=not unseen,
    )
    ends = Counter(f"{one.end} {one.status or ''}".strip() for one in exchanges if one.status != 200)
    outcome.expect(f"every request succeeds, but some ended so: {dict(ends)}", kept=not ends)
    outcome.expect("both versions answer requests", kept=len(versions) == 2)
    for fault, number in Counter(faults).items():
        outcome.expect(f"each answer is that of one version, but {number} times {fault}", kept=False)
    return outcome


def probabilities(predictions: Sequence[Json]) -> dict[str, float]:
    """The predictions of a response by their classes."""
    return {one["label"]: one["probability"] for one in predictions}


def result_of(exchange: Exchange) -> Json:
    """The JSON of a response, or of the last event of a stream; raises ValueError where there is none."""
    assert exchange.answer is not None, "an answer"
    if exchange.answer.headers.get("content-type", "").startswith("text/event-stream"):
        name, last = list(_events(exchange.answer.body))[-1]
        if name != "result":
            raise ValueError(f"the stream ended with {last}")
        return last
    result: Json = json.loads(exchange.answer.body)
    return result


def faults_of(asked: Asked, exchange: Exchange, versions: Mapping[str, Version]) -> list[str]:
    """What in the answer is not that of the version that it names; an empty list is right."""
    result = result_of(exchange)
    version = versions.get(result["version"])
    if version is None:
        return [f"{asked.operation} named a version that there is not"]
    faults = [f"{asked.operation}: {fault}" for fault in _faults(asked, result, version)]
    if exchange.answer is not None and b"event: progress" in exchange.answer.body:
        events = (data for name, data in _events(exchange.answer.body) if name == "progress")
        shown = {one["label"] for data in events for one in data.get("probabilities") or ()}
        if not shown <= version.labels:
            faults.append(f"{asked.operation}: the progress showed classes of another version")
    return faults


def changed_picture(result: Json) -> Changed:
    """The picture in the result of an attack."""
    top = result["adversarial"]
    return Changed(result["version"], top["label"], top["probability"], result["image"])


def agree(found: Probabilities, known: Probabilities) -> bool:
    """Whether each probability that was found is the known one, within TOLERANCE."""
    return all(label in known and abs(value - known[label]) <= TOLERANCE for label, value in found.items())


def _faults(asked: Asked, result: Json, version: Version) -> Iterator[str]:
    if asked.operation == "/classify/batch":
        for name, one in zip(asked.pictures, result["results"], strict=True):
            if one.get("version") != version.version:
                yield "a picture of the batch was answered by another version"
            elif not agree(probabilities(one["predictions"]), version.pictures[name]):
                yield "the probabilities of a picture are another version's"
        return
    (name,) = asked.pictures
    shown = result["predictions"] if asked.operation == "/classify" else [result[TOP[asked.operation]]]
    if not agree(probabilities(shown), version.pictures[name]):
        yield "the probabilities are another version's"
    if asked.operation == "/adversarial" and result["adversarial"]["label"] not in version.labels:
        yield "the class of the changed picture is another version's"


def _events(body: bytes) -> Iterator[tuple[str, Json]]:
    for block in body.decode().split("\n\n"):
        lines = [line.partition(": ") for line in block.splitlines() if not line.startswith(":")]
        fields = {name: value for name, _, value in lines}
        if "data" in fields:
            yield fields.get("event", ""), json.loads(fields["data"])

"""Attacks from Python, without the service: one picture, or thousands in shared batches."""

import math
import statistics
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jaxtyping import UInt8
from torch import Tensor
from tqdm.auto import tqdm

from models.attacks.survive import parse_survive
from models.attacks.task import Adversarial, AlreadyTarget, adversarial
from models.classifier import Classifier
from models.pictures import decode
from models.query import Task
from models.run import run, run_all
from models.spec import Spec
from models.store import Model

Picture = UInt8[Tensor, "3 _ _"] | bytes | str | Path
"""Levels, an encoded file's bytes, or its path. Of any size: several in one call need not share theirs."""


def fool(
    model: Model | Classifier,
    picture: Picture,
    *,
    target: str | int | None = None,
    attack: str | None = None,
    norm: str | None = None,
    survive: str = "png",
    deadline_s: float | None = None,
    **options: Any,
) -> Adversarial:
    """Change one picture, at its own resolution, until the model takes it for the target, or for anything else.

        from models.attacks import fool
        from models.store import load

        found = fool(load("cats-dogs"), "cat.jpg", target="dog")
        print(found.success, found.norms["l2"], found.adversarial.label)
        Path("fooled.png").write_bytes(encode(found.picture))  # models.pictures.encode

    `options` are the attack's own, `confidence`, `mask`, and `jpeg`, the quality of a JPEG file: that is then verified,
    and `found.to_encode` is what to write. After `deadline_s` seconds the best so far is returned.
    Raises BadAttack, BadSurvival, AlreadyTarget, UnknownClass, and what models.pictures.decode raises.
    """
    classifier = _classifier(model)
    task = _task(
        classifier,
        picture,
        target=target,
        attack=attack,
        norm=norm,
        survive=parse_survive(survive),
        best_at_deadline=deadline_s is not None,
        **options,
    )
    return run(task, classifier, deadline_s=math.inf if deadline_s is None else deadline_s)


def fool_all(
    model: Model | Classifier,
    pictures: Sequence[Picture] | Iterable[Picture],
    *,
    target: str | int | None = None,
    attack: str | None = None,
    norm: str | None = None,
    survive: str = "png",
    deadline_s: float | None = None,
    at_once: int = 8,
    progress: bool = True,
    **options: Any,
) -> Iterator[tuple[int, Adversarial | None]]:
    """`fool` for any number of pictures of any sizes, `at_once` of them in shared batches of the network.

        results = dict(fool_all(load("cats-dogs"), sorted(Path("photos").glob("*.jpg")), attack="ddn"))
        print(summary(results.values()))

    Yields each picture's number and result as it is done, None where the model takes it for the target as it is.
    Pictures are read as there is room for them, so an iterable may be longer than memory. `deadline_s` is each one's
    own; `progress` shows a bar on standard error. Raises what `fool` raises; a note on it tells which picture cannot be
    read.
    """
    classifier, survivals = _classifier(model), parse_survive(survive)

    def tasks() -> Iterator[Task[Adversarial | None]]:
        for number, picture in enumerate(pictures):
            try:
                levels = _levels(picture)
            except ValueError as error:
                error.add_note(f"picture {number}: {picture if isinstance(picture, str | Path) else 'bytes'}")
                raise
            yield _unless_there(
                _task(
                    classifier,
                    levels,
                    target=target,
                    attack=attack,
                    norm=norm,
                    survive=survivals,
                    best_at_deadline=deadline_s is not None,
                    **options,
                )
            )

    each_s = math.inf if deadline_s is None else deadline_s
    total = len(pictures) if isinstance(pictures, Sequence) else None
    with tqdm(total=total, unit="picture", disable=not progress) as bar:
        for number, result in run_all(tasks(), classifier, at_once=at_once, deadline_s=each_s):
            bar.update()
            yield number, result


@dataclass(frozen=True)
class Summary:
    """What attacks on many pictures came to: medians are over those that were fooled, NaN where none was."""

    pictures: int
    fooled: int
    median_norms: dict[str, float]
    passes_per_picture: float

    @property
    def success_rate(self) -> float:
        """The share of the pictures that were fooled."""
        return self.fooled / self.pictures if self.pictures else math.nan


def summary(results: Iterable[Adversarial | None]) -> Summary:
    """Success, median norms and passes; pictures that were the target as they are (None) are left out."""
    attacked = [result for result in results if result is not None]
    fooled = [result for result in attacked if result.success]
    medians = {
        norm: statistics.median(each.norms[norm] for each in fooled) if fooled else math.nan
        for norm in ("linf", "l2", "l1", "l0")
    }
    passes = [each.passes.forward + each.passes.backward for each in attacked]
    return Summary(len(attacked), len(fooled), medians, statistics.fmean(passes) if passes else math.nan)


def _classifier(model: Model | Classifier) -> Classifier:
    return model.classifier if isinstance(model, Model) else model


def _task(classifier: Classifier, picture: Picture, *, target: str | int | None, **options: Any) -> Task[Adversarial]:
    levels = _levels(picture).to(classifier.device)
    return adversarial(levels, classifier.spec, target=_index(target, classifier.spec), **options)


def _unless_there(task: Task[Adversarial]) -> Task[Adversarial | None]:
    try:
        return (yield from task)
    except AlreadyTarget:
        return None


def _levels(picture: Picture) -> Tensor:
    if isinstance(picture, Tensor):
        return picture
    return decode(Path(picture).read_bytes() if isinstance(picture, str | Path) else picture)


def _index(target: str | int | None, spec: Spec) -> int | None:
    if isinstance(target, str):
        return spec.names.find(target)
    return None if target is None else spec.names.by_index(target)

"""Attacks from Python, without the service: on one picture, or on thousands in shared batches."""

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
"""uint8 values [3, h, w], an encoded file's bytes, or its path; of any size, which may differ within one call."""


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
    """Change one picture, at its own resolution, until the model takes it for the target (or for any other class).

        from models.attacks import fool
        from models.store import load

        result = fool(load("cats-dogs"), "cat.jpg", target="dog")
        print(result.success, result.norms["l2"], result.adversarial.label)
        Path("fooled.png").write_bytes(encode(result.picture))  # models.pictures.encode

    `options` are the attack's own, `confidence`, `mask`, and `jpeg`, the quality of a JPEG file: then the picture to
    write is `result.to_encode`, and that file is verified. After `deadline_s` seconds the best so far is returned.
    Raises BadAttack, BadSurvival, AlreadyTarget, NoLabel, UnknownClass, and what models.pictures.decode raises.
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
    """`fool` for any number of pictures of any sizes, of which `at_once` are attacked in shared batches.

        results = dict(fool_all(load("cats-dogs"), sorted(Path("photos").glob("*.jpg")), attack="ddn"))
        print(summary(results.values()))

    Yields each picture's number and result as soon as it is complete; the result is None if the model takes the
    unchanged picture for the target. Pictures are read only when they are attacked, so the iterable may be larger than
    memory. `deadline_s` counts for each picture from its own start; `progress` shows a bar on standard error. Raises
    what `fool` raises; if a picture cannot be read, a note on the error names it.
    """
    classifier, survivals = _classifier(model), parse_survive(survive)

    def tasks() -> Iterator[Task[Adversarial | None]]:
        for number, picture in enumerate(pictures):
            try:
                levels = _levels(picture)
            except ValueError as error:
                error.add_note(f"picture {number}: {picture if isinstance(picture, str | Path) else 'bytes'}")
                raise
            yield _none_if_already_target(
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

    picture_deadline_s = math.inf if deadline_s is None else deadline_s
    total = len(pictures) if isinstance(pictures, Sequence) else None
    with tqdm(total=total, unit="picture", disable=not progress) as bar:
        for number, result in run_all(tasks(), classifier, at_once=at_once, deadline_s=picture_deadline_s):
            bar.update()
            yield number, result


@dataclass(frozen=True)
class Summary:
    """Attacks on many pictures: how many succeeded (`fooled`), and the median norms of these, NaN if there are none."""

    pictures: int
    fooled: int
    median_norms: dict[str, float]
    passes_per_picture: float

    @property
    def success_rate(self) -> float:
        """The share of the pictures on which the attack succeeded; NaN without pictures."""
        return self.fooled / self.pictures if self.pictures else math.nan


def summary(results: Iterable[Adversarial | None]) -> Summary:
    """Success, median norms and passes; pictures that were the target from the start (None) are left out."""
    completed = [result for result in results if result is not None]
    fooled = [result for result in completed if result.success]
    medians = {
        norm: statistics.median(result.norms[norm] for result in fooled) if fooled else math.nan
        for norm in ("linf", "l2", "l1", "l0")
    }
    passes = [result.passes.forward + result.passes.backward for result in completed]
    return Summary(len(completed), len(fooled), medians, statistics.fmean(passes) if passes else math.nan)


def _classifier(model: Model | Classifier) -> Classifier:
    return model.classifier if isinstance(model, Model) else model


def _task(classifier: Classifier, picture: Picture, *, target: str | int | None, **options: Any) -> Task[Adversarial]:
    levels = _levels(picture).to(classifier.device)
    return adversarial(levels, classifier.spec, target=_index(target, classifier.spec), **options)


def _none_if_already_target(task: Task[Adversarial]) -> Task[Adversarial | None]:
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

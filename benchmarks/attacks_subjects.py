"""What the benchmarks of attacks share: photos as cases, passes counted inside the network, verdicts, a bare attack."""

import copy
import random
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar
from unittest import mock

import torch
from skimage import data as skimage_data
from torch import Tensor, nn

from benchmarks.measure import synchronise
from models.attacks import search, task
from models.attacks.geometry import Norm, by
from models.attacks.goal import Best, Goal
from models.attacks.lattice import Candidate, search_lattice
from models.attacks.options import ATTACKS, attack_options
from models.attacks.survive import Survival
from models.classifier import Classifier
from models.pictures import decode
from models.preprocessing import Preprocess, preprocess, to_float, to_levels
from models.query import Task
from models.spec import Spec
from training.data.sources.open_source import open_source

SAMPLES = Path(__file__).parents[2] / "shared" / "data" / "imagenet-samples.zip"
SKIMAGE_PHOTOS = ("chelsea", "astronaut", "coffee", "rocket")
"""Names of photos that are part of scikit-image's package."""
ENDINGS = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff")

Result = TypeVar("Result")


@dataclass
class Call:
    """One forward pass through the network: its rows, and the number of backward passes through it."""

    rows: int
    backward: int = 0

    def count(self, _: Tensor) -> None:
        """The gradient hook: count one backward pass."""
        self.backward += 1


class Counted(nn.Sequential):
    """A classifier's network, normalisation and all, that records its passes."""

    def __init__(self, network: nn.Sequential) -> None:
        super().__init__(*network)
        self.calls: list[Call] = []

    def forward(self, pixels: Tensor) -> Tensor:
        """Record the pass, and return the network's logits."""
        logits = pixels
        for module in self:
            logits = module(logits)
        return self.record(logits)

    def record(self, logits: Tensor) -> Tensor:
        """Record a forward pass by its logits [n, k], and a backward pass when it comes; return the logits."""
        call = Call(len(logits))
        self.calls.append(call)
        if logits.requires_grad:
            logits.register_hook(call.count)
        return logits

    @property
    def passes(self) -> tuple[int, int]:
        """Rows forward and backward since the calls were last cleared."""
        return sum(call.rows for call in self.calls), sum(call.rows * call.backward for call in self.calls)


class Module(nn.Module):
    """The classifier as other libraries need it: a module from pixels in [0, 1] at its input size to logits."""

    def __init__(self, classifier: Classifier) -> None:
        super().__init__()
        self.classifier, self.network = classifier, classifier.network

    def forward(self, pixels: Tensor) -> Tensor:
        """Logits, in the classifier's own memory layout."""
        return self.classifier.logits(pixels)


@dataclass(frozen=True)
class Plan:
    """The settings that all libraries share; a library's own defaults are not used."""

    steps: int
    budget_steps: int
    queries: int
    searches: int
    search_steps: int
    candidates: int
    epsilon: Mapping[Norm, float]
    targeted: bool
    seed: int

    initial_constant: float = 1.0
    """First constant of Carlini and Wagner's search: with few searches it must be near the one that photos need."""

    def shortened(self, steps: int) -> "Plan":
        """The same plan with `steps` steps of every attack, and one search."""
        return replace(self, steps=steps, budget_steps=steps, queries=steps, search_steps=steps, searches=1)

    def options(self, attack: str, norm: Norm) -> dict[str, Any]:
        """The options of one of Mirage's attacks under this plan."""
        defaults = ATTACKS[attack].defaults
        own: dict[str, dict[str, Any]] = {
            "square": {"steps": self.queries, "stop": "first"},  # the other library's ends at its success too
            "carlini_wagner": {
                "steps": self.search_steps,
                "searches": self.searches,
                "initial_constant": self.initial_constant,
            },
            "deepfool": {"steps": self.steps, "candidates": self.candidates},
        }
        steps = self.steps if ATTACKS[attack].minimal else self.budget_steps
        options = {"steps": steps, "epsilon": self.epsilon.get(norm), **own.get(attack, {})}
        return {name: value for name, value in options.items() if name in defaults}


@dataclass(frozen=True)
class Case:
    """One picture to attack [3, h, w], the spec of its preprocessing, and its class, or the attack's target class."""

    levels: Tensor
    spec: Spec
    label: int


@dataclass(frozen=True)
class Cost:
    """Seconds, and rows that went through the network forward and backward."""

    seconds: float
    forward: int
    backward: int


@dataclass
class Bench:
    """The model under attack, with its passes counted."""

    classifier: Classifier
    plan: Plan
    counted: Counted = field(init=False)

    def __post_init__(self) -> None:
        self.counted, unrolled = Counted(self.classifier.network), self.classifier.unrolled
        self.classifier.network = self.counted.eval()
        self.classifier.unrolled = lambda pixels: self.counted.record(unrolled(pixels))

    def under(self, plan: Plan) -> "Bench":
        """The same model under another plan."""
        bench = copy.copy(self)
        bench.plan = plan
        return bench

    @property
    def crop_spec(self) -> Spec:
        """A spec with which pictures of the input size reach the network unchanged."""
        return replace(self.classifier.spec, resize=self.classifier.spec.input_size)

    def logits(self, levels: Tensor, spec: Spec) -> Tensor:
        """The logits of 8-bit pictures [n, 3, h, w]."""
        return self._logits(to_float(levels.to(self.classifier.device)), spec)

    def _logits(self, pixels: Tensor, spec: Spec) -> Tensor:
        with torch.no_grad():
            return self.classifier.logits(preprocess(pixels, spec))

    def won(self, pixels: Tensor, spec: Spec, labels: Tensor) -> Tensor:
        """Which of these pictures in [0, 1] fool the model, [n]; one with a NaN or an infinity does not."""
        finite = pixels.isfinite().flatten(1).all(dim=1)
        predictions = self._logits(pixels.nan_to_num().clamp(0, 1), spec).argmax(dim=1)
        return ((predictions == labels) == self.plan.targeted) & finite

    def case(self, number: int, levels: Tensor, spec: Spec) -> Case:
        """The case of one picture; in targeted attacks its target class is drawn from its number and the seed."""
        label = int(self.logits(levels.unsqueeze(0), spec).argmax())
        if not self.plan.targeted:
            return Case(levels, spec, label)
        classes = len(spec.classes)
        step = 1 + random.Random(f"{self.plan.seed} {number}").randrange(classes - 1)
        return Case(levels, spec, (label + step) % classes)

    def cases(self, photos: list[Tensor]) -> list[Case]:
        """The cases of the photos at their own sizes."""
        return [self.case(number, levels, self.classifier.spec) for number, levels in enumerate(photos)]

    def crops(self, photos: list[Tensor]) -> list[Case]:
        """The cases of the network's input for each photo, rounded to 8-bit levels."""
        spec = self.classifier.spec
        crops = [to_levels(preprocess(to_float(levels).unsqueeze(0), spec))[0] for levels in photos]
        return [self.case(number, levels, self.crop_spec) for number, levels in enumerate(crops)]

    def timed(self, run: Callable[[], Result]) -> tuple[Result, Cost]:
        """The result of the function, and its cost."""
        device = self.classifier.device
        torch.manual_seed(self.plan.seed)
        self.counted.calls.clear()
        synchronise(device)
        begun = time.perf_counter()
        result = run()
        synchronise(device)
        seconds = time.perf_counter() - begun
        return result, Cost(seconds, *self.counted.passes)

    def goal(self, labels: Tensor, spec: Spec | None = None, *, scale: float = 1.0) -> Goal:
        """The goal to fool the model on pictures of its input size, or on pictures that `spec` resizes."""
        preprocessing: Preprocess = (
            (lambda pixels: pixels) if spec is None else (lambda pixels: preprocess(pixels, spec))
        )
        return Goal(labels, self.plan.targeted, preprocessing, scale=scale)


def bare(attack: str, norm: Norm, start: Tensor, goal: Goal, options: Mapping[str, Any]) -> Task[Best]:
    """One of Mirage's attacks in float, without its search for 8-bit levels."""
    entry = ATTACKS[attack]
    _, checked = attack_options(attack, norm, options)
    first = yield from goal.look(start, gradients=False)
    best = Best(goal, start, first, measure=by(norm) if entry.minimal else None)
    yield from entry.run(start, goal, best, **checked)
    return best


def whole(
    bench: Bench, case: Case, attack: str, norm: Norm, survive: tuple[Survival, ...] = ()
) -> Task[task.Adversarial]:
    """The task behind /adversarial."""
    levels = case.levels.to(bench.classifier.device)
    target = case.label if bench.plan.targeted else None
    options = bench.plan.options(attack, norm)
    return task.adversarial(levels, case.spec, target=target, attack=attack, norm=norm, survive=survive, **options)


@contextmanager
def float_pictures() -> Iterator[dict[int, Tensor]]:
    """The float pictures of whole attacks when their search for 8-bit levels begins, by the id of their Passes."""
    pictures: dict[int, Tensor] = {}

    def record_pictures(candidate: Candidate, verified: Best, **options: Any) -> Task[None]:
        pictures[id(verified.goal.passes)] = candidate.pictures
        return search_lattice(candidate, verified, **options)

    with mock.patch.object(search, "search_lattice", record_pictures):
        yield pictures


def open_photos(path: Path | None, limit: int) -> tuple[str, list[Tensor]]:
    """The name of the source, and its first `limit` photos; without a path ImageNet samples or scikit-image's."""
    if path is None and SAMPLES.exists():
        path = SAMPLES
    if path is None:
        photos = [
            torch.from_numpy(getattr(skimage_data, name)()).permute(2, 0, 1).contiguous() for name in SKIMAGE_PHOTOS
        ]
        return "scikit-image", photos[:limit]
    source = open_source(path)
    names = [name for name in source.names if name.lower().endswith(ENDINGS)]
    decoded: list[Tensor] = []
    for name in names[:limit]:
        try:
            decoded.append(decode(source.read(name)))
        except ValueError as error:
            print(f"left out: {name}: {error}", file=sys.stderr)
    return path.name, decoded

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
DRAWN = ("chelsea", "astronaut", "coffee", "rocket")
"""Photos that lie in scikit-image's own package."""
ENDINGS = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff")

Found = TypeVar("Found")


@dataclass
class Call:
    """One pass through the network: its rows, and how often it was gone through backward."""

    rows: int
    backward: int = 0

    def count(self, _: Tensor) -> None:
        """What autograd tells when it comes by."""
        self.backward += 1


class Counted(nn.Module):
    """A network that writes down its passes, whoever asks for them."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network
        self.calls: list[Call] = []

    def forward(self, pixels: Tensor) -> Tensor:
        """The network's own answer."""
        logits: Tensor = self.network(pixels)
        call = Call(len(pixels))
        self.calls.append(call)
        if logits.requires_grad:
            logits.register_hook(call.count)
        return logits

    @property
    def passes(self) -> tuple[int, int]:
        """Rows forward and backward since the calls were last cleared."""
        return sum(each.rows for each in self.calls), sum(each.rows * each.backward for each in self.calls)


class Module(nn.Module):
    """The classifier as other libraries want it: a module from pixels in [0, 1] at its input size to logits."""

    def __init__(self, classifier: Classifier) -> None:
        super().__init__()
        self.classifier, self.network = classifier, classifier.network

    def forward(self, pixels: Tensor) -> Tensor:
        """Logits, in the classifier's own memory layout."""
        return self.classifier.logits(pixels)


@dataclass(frozen=True)
class Plan:
    """What is asked of all libraries alike; a library's own defaults do not matter."""

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
    """Of Carlini and Wagner's: few searches must begin near what photos need."""

    def shortened(self, steps: int) -> "Plan":
        """So many steps of every attack, and one search."""
        return replace(self, steps=steps, budget_steps=steps, queries=steps, search_steps=steps, searches=1)

    def given(self, attack: str, norm: Norm) -> dict[str, Any]:
        """The options of one of Mirage's attacks."""
        defaults = ATTACKS[attack].defaults
        own: dict[str, dict[str, Any]] = {
            "square": {"steps": self.queries},
            "carlini_wagner": {
                "steps": self.search_steps,
                "searches": self.searches,
                "initial_constant": self.initial_constant,
            },
            "deepfool": {"steps": self.steps, "candidates": self.candidates},
        }
        steps = self.steps if ATTACKS[attack].minimal else self.budget_steps
        wanted = {"steps": steps, "epsilon": self.epsilon.get(norm), **own.get(attack, {})}
        return {name: value for name, value in wanted.items() if name in defaults}


@dataclass(frozen=True)
class Case:
    """One picture to attack [3, h, w], how the model comes to its input, and the class to leave, or the target."""

    levels: Tensor
    spec: Spec
    wanted: int


@dataclass(frozen=True)
class Cost:
    """Seconds, and rows that went through the network forward and backward."""

    seconds: float
    forward: int
    backward: int


@dataclass
class Bench:
    """The model under attack."""

    classifier: Classifier
    plan: Plan
    counted: Counted = field(init=False)

    def __post_init__(self) -> None:
        self.counted = Counted(self.classifier.network)
        self.classifier.network = nn.Sequential(self.counted).eval()

    def under(self, plan: Plan) -> "Bench":
        """The same model, asked otherwise."""
        other = copy.copy(self)
        other.plan = plan
        return other

    @property
    def crop_spec(self) -> Spec:
        """Pictures of the input size reach the network as they are."""
        return replace(self.classifier.spec, resize=self.classifier.spec.input_size)

    def logits(self, levels: Tensor, spec: Spec) -> Tensor:
        """Of 8-bit pictures [n, 3, h, w]."""
        return self._logits(to_float(levels.to(self.classifier.device)), spec)

    def _logits(self, pixels: Tensor, spec: Spec) -> Tensor:
        with torch.no_grad():
            return self.classifier.logits(preprocess(pixels, spec))

    def won(self, pixels: Tensor, spec: Spec, wanted: Tensor) -> Tensor:
        """Which of these pictures in [0, 1] fool the model, [n]; none that holds what is no number."""
        sane = pixels.isfinite().flatten(1).all(dim=1)
        seen = self._logits(pixels.nan_to_num().clamp(0, 1), spec).argmax(dim=1)
        return ((seen == wanted) == self.plan.targeted) & sane

    def case(self, number: int, levels: Tensor, spec: Spec) -> Case:
        """What to reach on one picture: a target is drawn for each."""
        label = int(self.logits(levels.unsqueeze(0), spec).argmax())
        if not self.plan.targeted:
            return Case(levels, spec, label)
        classes = len(spec.classes)
        step = 1 + random.Random(f"{self.plan.seed} {number}").randrange(classes - 1)
        return Case(levels, spec, (label + step) % classes)

    def cases(self, photos: list[Tensor]) -> list[Case]:
        """The photos at their own sizes."""
        return [self.case(number, levels, self.classifier.spec) for number, levels in enumerate(photos)]

    def crops(self, photos: list[Tensor]) -> list[Case]:
        """What the network sees of each photo, rounded to the levels of a file."""
        spec = self.classifier.spec
        seen = [to_levels(preprocess(to_float(levels).unsqueeze(0), spec))[0] for levels in photos]
        return [self.case(number, levels, self.crop_spec) for number, levels in enumerate(seen)]

    def timed(self, run: Callable[[], Found]) -> tuple[Found, Cost]:
        """What it returns, and what it took."""
        device = self.classifier.device
        torch.manual_seed(self.plan.seed)
        self.counted.calls.clear()
        synchronise(device)
        begun = time.perf_counter()
        found = run()
        synchronise(device)
        seconds = time.perf_counter() - begun
        return found, Cost(seconds, *self.counted.passes)

    def goal(self, wanted: Tensor, spec: Spec | None = None, *, scale: float = 1.0) -> Goal:
        """To fool the model about pictures of its input size, or about those that `spec` resizes."""
        seen: Preprocess = (lambda pixels: pixels) if spec is None else (lambda pixels: preprocess(pixels, spec))
        return Goal(wanted, self.plan.targeted, seen, scale=scale)


def bare(attack: str, norm: Norm, start: Tensor, goal: Goal, given: Mapping[str, Any]) -> Task[Best]:
    """One of Mirage's attacks in float, without the search for what a file holds."""
    entry = ATTACKS[attack]
    _, options = attack_options(attack, norm, given)
    first = yield from goal.look(start, gradients=False)
    best = Best(goal, start, first, measure=by(norm) if entry.minimal else None)
    yield from entry.run(start, goal, best, **options)
    return best


def whole(
    bench: Bench, case: Case, attack: str, norm: Norm, survive: tuple[Survival, ...] = ()
) -> Task[task.Adversarial]:
    """The task behind /adversarial."""
    levels = case.levels.to(bench.classifier.device)
    target = case.wanted if bench.plan.targeted else None
    given = bench.plan.given(attack, norm)
    return task.adversarial(levels, case.spec, target=target, attack=attack, norm=norm, survive=survive, **given)


@contextmanager
def float_pictures() -> Iterator[dict[int, Tensor]]:
    """What whole attacks have found in float when their search for a file's levels begins, by id of their Passes."""
    found: dict[int, Tensor] = {}

    def watched(candidate: Candidate, verified: Best, **options: Any) -> Task[None]:
        found[id(verified.goal.passes)] = candidate.pictures
        return search_lattice(candidate, verified, **options)

    with mock.patch.object(search, "search_lattice", watched):
        yield found


def open_photos(path: Path | None, limit: int) -> tuple[str, list[Tensor]]:
    """Where they are from, and the first `limit` of the photos in a folder or zip; the samples without a path."""
    if path is None and SAMPLES.exists():
        path = SAMPLES
    if path is None:
        drawn = [torch.from_numpy(getattr(skimage_data, name)()).permute(2, 0, 1).contiguous() for name in DRAWN]
        return "scikit-image", drawn[:limit]
    source = open_source(path)
    names = [name for name in source.names if name.lower().endswith(ENDINGS)]
    photos: list[Tensor] = []
    for name in names[:limit]:
        try:
            photos.append(decode(source.read(name)))
        except ValueError as error:
            print(f"left out: {name}: {error}", file=sys.stderr)
    return path.name, photos

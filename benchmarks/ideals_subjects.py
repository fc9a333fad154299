"""What the benchmarks of ideal pictures share: the classes, the network that draws, the one that judges."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from models.ideal import IdealPicture, ideal
from models.ideal.judge import Judgement, judge
from models.ideal.score import Score, score
from models.ideal.subject import ClassSubject
from models.preprocessing import to_float
from models.query import Passes
from models.run import run, run_all
from models.store import Model, load

DRAWS, JUDGES = "imagenet/mobilenet_v2", "imagenet/squeezenet1_1"
CLASSES = (
    "zebra",
    "flamingo",
    "volcano",
    "Samoyed",
    "Siamese cat",
    "school bus",
    "daisy",
    "golden retriever",
    "pizza",
    "espresso",
    "monarch",
    "strawberry",
)
"""Animals, plants, things, food, a landscape: chosen before any figure was known, and never changed."""


@dataclass(frozen=True)
class Verdict:
    """One picture under the network that drew it and under the one that did not."""

    label: str
    score: Score
    other: Judgement


@dataclass(frozen=True)
class Two:
    """The networks."""

    draws: Model
    judges: Model

    def index(self, label: str) -> int:
        """The class's index in the drawing network."""
        return self.draws.spec.names.find(label)

    def judgement(self, picture: Tensor, label: str) -> Judgement:
        """What the other network sees."""
        task = judge(picture, self.judges.spec.names.find(label), self.judges.spec)
        return run(task, self.judges.classifier)

    def verdict(self, picture: Tensor, label: str) -> Verdict:
        """Of a finished picture uint8 [3, s, s], whoever made it; nothing counts as trained on but crops and shifts."""
        spec = self.draws.spec
        subject = ClassSubject(self.index(label), spec)
        whole = torch.nn.functional.interpolate(to_float(picture).unsqueeze(0), [spec.input_size] * 2, mode="bilinear")
        task = score(picture, whole, subject, spec, Passes(), trained_on=frozenset(["crops", "shifts"]))
        return Verdict(label, run(task, self.draws.classifier), self.judgement(picture, label))


def draw(model: Model, method: str, labels: Sequence[str], seed: int) -> list[IdealPicture]:
    """The ideal picture of each class, in shared turns on the network."""
    index, device = model.spec.names.find, model.classifier.device
    tasks = [ideal(index(label), model.spec, method=method, seed=seed, device=device) for label in labels]
    found = dict(run_all(tasks, model.classifier, at_once=4))
    return [found[number].pictures[0] for number in range(len(labels))]


def load_two(device: torch.device) -> Two:
    """Both networks, with torchvision's weights in TORCH_HOME."""
    return Two(load(DRAWS, device=device), load(JUDGES, device=device))


def summary(found: Sequence[Verdict]) -> str:
    """Of several pictures: means, least R and p, range of slopes, and how many the other network recognises."""
    scores = [each.score for each in found]
    robust, held_out = ([getattr(each, name) for each in scores] for name in ("robust", "held_out"))
    slopes, other = [each.slope for each in scores], [each.other.probability for each in found]
    top = sum(each.other.rank == 1 for each in found)
    return (
        f"p {min(each.strength for each in scores):.3f} or more; R {_mean(robust):.3f}, least {min(robust):.3f}; "
        f"R held out {_mean(held_out):.3f}; slope {min(slopes):.2f} to {max(slopes):.2f}; "
        f"top-1 under {JUDGES.partition('/')[2]} {top} of {len(found)}, T {_mean(other):.2f}"
    )


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)

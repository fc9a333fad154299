"""What the benchmarks of ideal pictures share: the classes, the drawing network and the judging network."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from models.effort import Effort
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
    """The score of one picture under the network that drew it, and the judgement of the other network."""

    label: str
    score: Score
    other: Judgement


@dataclass(frozen=True)
class Two:
    """The two networks: one draws, the other judges."""

    draws: Model
    judges: Model

    def index(self, label: str) -> int:
        """The class's index in the drawing network."""
        return self.draws.spec.names.find(label)

    def judgement(self, picture: Tensor, label: str) -> Judgement:
        """The judging network's judgement of the picture."""
        task = judge(picture, self.judges.spec.names.find(label), self.judges.spec)
        return run(task, self.judges.classifier)

    def verdict(self, picture: Tensor, label: str) -> Verdict:
        """The verdict on a picture, uint8 [3, s, s]; only crops and shifts count as views that it was drawn with."""
        spec = self.draws.spec
        subject = ClassSubject(self.index(label), spec)
        whole = torch.nn.functional.interpolate(to_float(picture).unsqueeze(0), spec.size, mode="bilinear")
        task = score(picture, whole, subject, spec, Passes(), trained_on=frozenset(["crops", "shifts"]))
        return Verdict(label, run(task, self.draws.classifier), self.judgement(picture, label))


def draw(
    model: Model, method: str, labels: Sequence[str], seed: int, effort: Effort = "standard"
) -> list[IdealPicture]:
    """The ideal picture of each class; several are drawn in turns."""
    index, device = model.spec.names.find, model.classifier.device
    tasks = [
        ideal(index(label), model.spec, method=method, effort=effort, seed=seed, device=device) for label in labels
    ]
    results = dict(run_all(tasks, model.classifier, at_once=4))
    return [results[number].pictures[0] for number in range(len(labels))]


def load_two(device: torch.device) -> Two:
    """Both networks, with torchvision's weights in TORCH_HOME."""
    return Two(load(DRAWS, device=device), load(JUDGES, device=device))


def summary(verdicts: Sequence[Verdict]) -> str:
    """The figures of several pictures: means, minima of R and p, range of slopes, top-1 under the judging network."""
    scores = [verdict.score for verdict in verdicts]
    robust, held_out = ([getattr(score, name) for score in scores] for name in ("robust", "held_out"))
    slopes, other = [score.slope for score in scores], [verdict.other.probability for verdict in verdicts]
    top = sum(verdict.other.rank == 1 for verdict in verdicts)
    return (
        f"p {min(score.strength for score in scores):.3f} or more; R {_mean(robust):.3f}, least {min(robust):.3f}; "
        f"R held out {_mean(held_out):.3f}; slope {min(slopes):.2f} to {max(slopes):.2f}; "
        f"top-1 under {JUDGES.partition('/')[2]} {top} of {len(verdicts)}, T {_mean(other):.2f}"
    )


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)

"""Transfer of attacks: how many pictures that were made to fool one classifier fool another one too."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

from jaxtyping import UInt8
from torch import Tensor

from models.attacks.task import Adversarial, adversarial
from models.classifier import Classifier
from models.classify import Prediction, classify
from models.query import Task
from models.run import run_all
from training.metrics import wilson
from training.robustness import at_once, budget_text

Track = Callable[[Iterable[tuple[int, Adversarial]]], Iterable[tuple[int, Adversarial]]]


@dataclass(frozen=True)
class Transfer:
    """Attacks on one classifier: how many photos were attacked, how many attacks succeeded, how many transfer.

    An attack transfers if the other classifier misclassifies the same 8-bit picture. Only photos count that both
    classify correctly without an attack. `epsilon` is the budget, with pixel values from 0 to 1.
    """

    attack: str
    norm: str
    epsilon: float
    photos: int
    successful: int
    transferred: int

    @property
    def share(self) -> float | None:
        """The share of the successful attacks that transfer, from 0 to 1; None if there are none."""
        return self.transferred / self.successful if self.successful else None

    @property
    def interval(self) -> tuple[float, float] | None:
        """Wilson's 95 % interval of the share; None without successful attacks."""
        return wilson(self.transferred, self.successful) if self.successful else None

    def to_json(self) -> dict[str, Any]:
        """All counts and the share with its interval."""
        return {**asdict(self), "share": self.share, "interval": None if self.interval is None else list(self.interval)}


def transfer(
    attacked: Classifier,
    other: Classifier,
    photos: Iterable[tuple[UInt8[Tensor, "3 _ _"], int]],
    *,
    attack: str,
    norm: str,
    epsilon: float,
    track: Track = lambda results: results,
    **options: Any,
) -> Transfer:
    """Attack photos [3, h, w] on one classifier, and let the other classify the resulting 8-bit pictures.

    Both classify the photos correctly, and the labels are the other's. The attack takes all its steps and returns the
    picture of which the attacked classifier is most certain: the first success would lie just behind that classifier's
    decision boundary, which says little about any other classifier. The other's verdict is that of POST /classify.
    Raises BadAttack.
    """
    labels: list[int] = []
    labels_of_successes: list[int] = []

    def attacks() -> Iterator[Task[Adversarial]]:
        for pixels, label in photos:
            labels.append(label)
            levels = pixels.to(attacked.device)
            yield adversarial(levels, attacked.spec, attack=attack, norm=norm, epsilon=epsilon, **options)

    def classifications() -> Iterator[Task[list[Prediction]]]:
        results = run_all(attacks(), attacked.fold(), at_once=at_once(attacked.device))
        for number, result in track(results):
            if result.success:
                labels_of_successes.append(labels[number])
                yield classify(result.picture.to(other.device), other.spec, top=1)

    verdicts = run_all(classifications(), other.fold(), at_once=at_once(other.device))
    transferred = sum(predictions[0].index != labels_of_successes[number] for number, predictions in verdicts)
    return Transfer(attack, norm, epsilon, len(labels), len(labels_of_successes), transferred)


def transfer_text(attacked: str, other: str, result: Transfer) -> str:
    """The result as a sentence, with the names of the classifiers."""
    if result.share is None or result.interval is None:
        return f"no attack on {attacked} succeeds, so that there is no picture that could fool {other} too"
    low, high = result.interval
    return (
        f"{result.attack} within {budget_text(result.epsilon, result.norm)} ({result.norm}) fools {attacked} on "
        f"{result.successful:,} of {result.photos:,} photos that both classify correctly; {result.transferred:,} of "
        f"these pictures, {result.share:.2%} ({low:.2%} to {high:.2%}), fool {other} too"
    )

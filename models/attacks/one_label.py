"""Attacks on networks of several labels per picture: each aims at one label, whether it is in the picture or not.

For such a label the network is a classifier of two classes, "the label" and "not the label", with the logits z and 0:
the softmax of these is the sigmoid of z. So an attack is written for classes, and its queries and their answers are
changed on the way. A label counts as found from a probability of one half on.
"""

from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from models.classify import Prediction
from models.query import Answer, Progress, Query, Result, Task
from models.relay import relay
from models.spec import Spec

FOUND = 0.5
"""Probability from which on a label counts as found."""


class NoLabel(ValueError):
    """The network finds no label in the picture, so there is none to remove."""


@dataclass(frozen=True)
class Label:
    """The label of a network that an attack aims at, by its index."""

    spec: Spec
    index: int

    @property
    def name(self) -> str:
        """The name of the label."""
        return self.spec.classes[self.index]

    @property
    def two_classes(self) -> Spec:
        """The spec of the classifier of two classes: 0 is the label, 1 is its absence."""
        return replace(self.spec, classes=(self.name, f"not {self.name}"), multi_label=False)

    def columns(self, logits: Float[Tensor, "n _"]) -> Float[Tensor, "n 2"]:
        """The logits of both classes."""
        own = logits[:, self.index]
        return torch.stack([own, torch.zeros_like(own)], dim=1)

    def attack(self, task: Task[Result]) -> Task[Result]:
        """The task, which asks a classifier with the spec `two_classes`, for the network itself."""
        result = yield from relay(task, self._of_label, change_query=self._to_network, change_answer=self._from_network)
        assert result is not None, "the task is not closed early"
        return result

    def prediction(self, of_two: Prediction) -> Prediction:
        """The probability of the label, from a prediction of either of the two classes."""
        found = of_two.probability if of_two.index == 0 else 1 - of_two.probability
        return Prediction(self.name, self.index, found)

    def _to_network(self, query: Query) -> Query:
        objective = query.objective
        if objective is None or query.within:
            return query
        return replace(query, objective=lambda logits: objective(self.columns(logits)))

    def _from_network(self, answer: Answer) -> Answer:
        return replace(answer, logits=self.columns(answer.logits))

    def _of_label(self, report: Progress) -> Progress:
        compute = report.compute_probabilities
        if compute is None:
            return report
        return replace(report, compute_probabilities=lambda: [(self.index, dict(compute())[0])])


def aimed_at(logits: Float[Tensor, " k"], spec: Spec, target: int | None) -> Label:
    """The label that an attack is to add (`target`), or the most probable one, which it is to remove.

    `logits` are those of the unchanged picture. Raises NoLabel if there is none to remove.
    """
    if target is not None:
        return Label(spec, target)
    label = Label(spec, int(logits.argmax()))
    own = logits[label.index]
    if own < 0:  # not its sigmoid, which is one half also for tiny logits of either sign
        raise NoLabel(
            f"the model finds no label in this picture (the most probable one, {label.name!r}, has "
            f"{own.sigmoid().item():.2f}): name a target, the label that it shall find"
        )
    return label

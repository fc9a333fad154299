"""The state of a run after some step: what --resume needs, and whether it is the same run."""

import io
import json
import pickle
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from training.recipe import Recipe

NEW_NAMES = {"parent": "weights", "trunk_rate": "backbone_rate"}
"""Names that earlier versions wrote into the identity of a run, each with its present name."""


class BadRun(RuntimeError):
    """A run that cannot be started or continued as asked."""


class DamagedState(ValueError):
    """A file that is no saved state, or only a part of one."""


@dataclass
class CandidateWeights:
    """Weights that may become the checkpoint, with their figures on the validation split.

    `name` is "probe", "raw" or "ema" (the averaged weights), after `epoch` epochs. In a robust run accuracy and loss
    are those under attack.
    """

    name: str
    epoch: int
    accuracy: float
    nll: float
    weights: dict[str, Tensor]
    balanced_accuracy: float = 0.0

    def beats(self, other: "CandidateWeights", *, balanced: bool = False) -> bool:
        """Whether its accuracy is better, or as good with less loss; by balanced accuracy if `balanced`."""
        if balanced:
            return (self.balanced_accuracy, -self.nll) > (other.balanced_accuracy, -other.nll)
        return (self.accuracy, -self.nll) > (other.accuracy, -other.nll)


@dataclass
class State:
    """A run after some step.

    `identity` says which run it is. `best` is the best candidate so far, `history` has a row for each finished epoch,
    `losses` are those of the steps of the epoch that has begun, and `learner` is the state of the Learner. `looks`
    counts how often the run was measured on the test split. `stages` are the learning rate schedules of an extended
    run (`training.extension`), each as [first epoch, end]; empty for a run that was never extended.
    """

    identity: dict[str, Any]
    precision: str
    best: CandidateWeights
    history: list[dict[str, Any]] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)
    learner: dict[str, Any] | None = None
    looks: int = 0
    stages: list[list[int]] = field(default_factory=list)

    def to_bytes(self) -> bytes:
        """The state as a file of torch, in which the best candidate is called `kept`, as in earlier versions."""
        values = {name: value for name, value in vars(self).items() if name != "best"}
        buffer = io.BytesIO()
        torch.save({**values, "kept": vars(self.best)}, buffer)
        return buffer.getvalue()

    @classmethod
    def from_file(cls, file: Path) -> "State":
        """The state that this version or an earlier one saved; raises DamagedState. Nothing in the file is run."""
        try:
            fields = torch.load(file, map_location="cpu", weights_only=True)
            fields["identity"] = _with_new_names(fields["identity"])
            return cls(
                **{name: value for name, value in fields.items() if name != "kept"},
                best=CandidateWeights(**fields["kept"]),
            )
        except (pickle.UnpicklingError, RuntimeError, EOFError, TypeError, KeyError, AttributeError) as error:
            raise DamagedState(str(error)) from error


def _with_new_names(identity: Mapping[str, Any]) -> dict[str, Any]:
    renamed = {NEW_NAMES.get(name, name): value for name, value in identity.items()}
    recipe = {NEW_NAMES.get(name, name): value for name, value in identity["recipe"].items()}
    return {**renamed, "recipe": recipe}


def with_later_options(earlier: Mapping[str, Any], present: Mapping[str, Any]) -> dict[str, Any]:
    """The identity of an earlier run, with the defaults of options that did not exist when that run began."""
    defaults: dict[str, Any] = json.loads(json.dumps(asdict(Recipe())))
    later = {name: defaults[name] for name in present["recipe"] if name in defaults}
    return {**earlier, "recipe": {**later, **earlier["recipe"]}}


def differences(then: Mapping[str, Any], now: Mapping[str, Any], ignored: Collection[str] = ()) -> list[str]:
    """What differs between two identities, except for the `ignored` names, in words: `epochs 8, not 6`."""
    texts = []
    for key in sorted({*then, *now} - {*ignored}):
        before, after = then.get(key), now.get(key)
        if isinstance(before, dict) and isinstance(after, dict):
            texts += differences(before, after, ignored)
        elif before != after:
            texts.append(f"{key} {_short(before)}, not {_short(after)}")
    return texts


def _short(value: Any) -> str:
    text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    return text if len(text) <= 60 else f"{text[:12]}..."

"""A second served model that is shown an ideal picture, and did not take part in drawing it."""

from dataclasses import dataclass

from app.web.service import Service
from models.classes import UnknownClass
from models.ideal import BadIdeal
from models.store import Model


@dataclass(frozen=True)
class Judge:
    """The other model, and its own index of the class."""

    model: Model
    index: int


def choose_judge(service: Service, model: Model, label: str | None, wanted: str | None) -> Judge | None:
    """The model that the client named, or the first other one that is ready and knows the class by name.

    `label` is None for a channel, of which no other model knows. Raises NotServed, StillLoading, LoadingFailed,
    UnknownClass and BadIdeal for a judge that was named and cannot serve.
    """
    if wanted is not None:
        if label is None:
            raise BadIdeal("judge: another model has not the same channels; leave it out")
        other = service.registry.get(wanted)
        if other is model:
            raise BadIdeal(f"judge: {wanted} has drawn the picture itself; name another one (GET /models lists all)")
        return Judge(other, other.spec.names.by_name(label))
    for name in service.registry.names if label is not None else ():
        if name != model.name and service.registry.state(name) == "ready":
            other = service.registry.get(name)
            try:
                return Judge(other, other.spec.names.by_name(str(label)))
            except UnknownClass:
                continue
    return None

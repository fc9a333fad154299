"""A request for an ideal picture with every option filled in, and the cache key of its response."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch

from app.ideal.judge import Judge, choose_judge
from app.ideal.requests import IdealOptions
from app.web.service import Service
from models.ideal.options import ideal_options
from models.ideal.task import check_ideal, default_size, held_pixels
from models.layers import Layer
from models.store import Model

EDITION = 2
"""Version of the stored responses and of the way in which pictures are drawn; another number makes every cache entry
unknown, so that all pictures are drawn anew."""


@dataclass(frozen=True)
class ResolvedRequest:
    """What to draw: a class by index or a channel of a layer, with the value of every option.

    `options` are the effort, the method's own, and `seed`, `count` and `size`.
    """

    model: Model
    subject: int | tuple[Layer, int]
    method: str
    options: Mapping[str, Any]  # unpacked into the typed keywords of `ideal`, which checks them
    judge: Judge | None

    @property
    def index(self) -> int | None:
        """Index of the class; None for a channel."""
        return self.subject if isinstance(self.subject, int) else None

    @property
    def layer(self) -> str | None:
        """Name of the layer; None for a class."""
        return None if isinstance(self.subject, int) else self.subject[0].name

    @property
    def channel(self) -> int | None:
        """Index of the channel; None for a class."""
        return None if isinstance(self.subject, int) else self.subject[1]

    @property
    def weight(self) -> int:
        """Number of pixels that are held at once, for the engine's memory limit."""
        size, count = self.options["size"], self.options["count"]
        return held_pixels(self.model.spec, self.options, size=size, count=count)

    def cache_key(self, device: torch.device, rows: int, threads: int) -> str:
        """Digest of everything that the response depends on, the machine included; hashes the model's weights.

        `rows` is the largest batch that goes through the network, and `threads` the number of CPU threads that share
        it: both decide how sums are rounded.
        """
        key_parts = {
            "edition": EDITION,
            "model": [self.model.name, self.model.digest],
            "subject": self.subject if isinstance(self.subject, int) else [self.layer, self.channel],
            "method": self.method,
            "options": dict(self.options),
            "judge": None if self.judge is None else [self.judge.model.name, self.judge.model.digest],
            "machine": [str(device), rows, threads, str(torch.__version__)],
        }
        return hashlib.sha256(json.dumps(key_parts, sort_keys=True).encode()).hexdigest()


def resolve(service: Service, model: Model, subject: int | tuple[Layer, int], options: IdealOptions) -> ResolvedRequest:
    """Fill in the defaults and choose the judge; raises BadIdeal, and for a named judge what `choose_judge` raises."""
    check_ideal(model.spec)
    of_class = isinstance(subject, int)
    label = model.spec.classes[subject] if isinstance(subject, int) else None
    size = options.size or default_size(model.spec)
    completed = ideal_options(
        options.method,
        size,
        options.chosen_options(),
        effort=options.effort,
        count=options.count,
        of_class=of_class,
    )
    all_options = {"effort": options.effort, **completed, "seed": options.seed, "count": options.count, "size": size}
    judge = choose_judge(service, model, label, options.judge)
    return ResolvedRequest(model, subject, options.method, all_options, judge)

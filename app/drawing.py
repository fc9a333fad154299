"""An ideal picture as a service: drawn once, kept, and handed to all who ask for the same."""

import asyncio
import base64
import hashlib
import json
import logging
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import torch
from anyio.to_thread import run_sync
from jaxtyping import UInt8
from torch import Tensor

from app.engine import Listener
from app.film import Reel
from app.formats import Format
from app.ideal_schemas import IdealResult
from app.judges import Judge
from app.service import Service
from app.streaming import Outcome, data_url
from models.ideal import Drawn, Ideal, ideal
from models.ideal.judge import judge
from models.ideal.sheet import tile
from models.layers import Layer
from models.pictures import decode, encode
from models.query import Progress
from models.store import Model

logger = logging.getLogger(__name__)
EDITION = 1
"""Of what is kept and of how pictures are drawn: another number makes everything anew."""


@dataclass(frozen=True)
class Wanted:
    """What a client asks for: a class by index or a channel of a layer, with every option resolved."""

    model: Model
    subject: int | tuple[Layer, int]
    method: str
    options: Mapping[str, Any]
    judge: Judge | None

    def key(self, device: torch.device) -> str:
        """Digest of all that the answer depends on, the machine's share of it included; hashes the model's weights."""
        depends = {
            "edition": EDITION,
            "model": [self.model.name, self.model.digest],
            "subject": self.subject if isinstance(self.subject, int) else [self.subject[0].name, self.subject[1]],
            "method": self.method,
            "options": dict(self.options),
            "judge": None if self.judge is None else [self.judge.model.name, self.judge.model.digest],
            "machine": [str(device), torch.get_num_threads(), str(torch.__version__)],
        }
        return hashlib.sha256(json.dumps(depends, sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True)
class Kept:
    """An answer as it lies in the cache: every figure, and each picture as a PNG."""

    figures: dict[str, Any]
    pictures: tuple[bytes, ...]

    def to_bytes(self) -> bytes:
        """One JSON document."""
        pictures = [base64.b64encode(picture).decode() for picture in self.pictures]
        return json.dumps({"figures": self.figures, "pictures": pictures}).encode()

    @staticmethod
    def from_bytes(data: bytes) -> "Kept":
        """What `to_bytes` wrote."""
        found = json.loads(data)
        return Kept(found["figures"], tuple(base64.b64decode(picture) for picture in found["pictures"]))

    @cached_property
    def decoded(self) -> list[UInt8[Tensor, "3 s s"]]:
        """The pictures themselves."""
        return [decode(picture) for picture in self.pictures]

    def outcome(self) -> "IdealOutcome":
        """As the representations are made from it; decodes the pictures, the first time."""
        score = self.figures["score"]
        headers = {
            "Model": self.figures["model"],
            "Label": self.figures["label"],
            **({} if score["probability"] is None else {"Probability": f"{score['probability']:.4f}"}),
            **({} if score["activation"] is None else {"Activation": f"{score['activation']:.4f}"}),
            "Robust": f"{score['robust']:.4f}",
            **({} if self.figures["reason"] is None else {"Reason": self.figures["reason"]}),
        }
        return IdealOutcome(IdealResult, self.figures, tile(self.decoded), headers, pictures=self.decoded)


@dataclass(frozen=True)
class IdealOutcome(Outcome):
    """Also the single pictures, where there are several."""

    pictures: Any = ()

    def json(self) -> str:
        """The body; encodes every picture."""
        several = len(self.pictures) > 1
        each = [
            {**figures, "image": data_url(picture) if several else None}
            for figures, picture in zip(self.figures["pictures"], self.pictures, strict=True)
        ]
        return IdealResult(**{**self.figures, "pictures": each}, image=data_url(self.image)).model_dump_json()

    def text(self) -> dict[str, Any]:
        """What stands in a PNG: not the seconds, which differ where all else is the same."""
        return {name: value for name, value in self.figures.items() if name != "seconds"}


def look_up(service: Service, key: str) -> Kept | None:
    """What the cache has of this key; what cannot be read counts as absent."""
    found = service.cache.get(key)
    if found is None:
        return None
    try:
        kept = Kept.from_bytes(found)
        IdealResult(**kept.figures, image="")
        kept.outcome()
    except Exception:  # anything may lie there
        logger.warning("what is kept under %s cannot be read: it is drawn anew", key, exc_info=True)
        return None
    return kept


async def kept_or_drawn(service: Service, wanted: Wanted, key: str, tell: Listener) -> Kept:
    """As it is kept, or else drawn now."""
    return await run_sync(look_up, service, key) or await draw(service, wanted, key, tell)


async def draw(service: Service, wanted: Wanted, key: str, tell: Listener) -> Kept:
    """Draw, have it judged, and keep the answer."""
    begun = time.monotonic()
    device = service.registry.device
    task = ideal(wanted.subject, wanted.model.spec, method=wanted.method, device=device, **wanted.options)
    weight = wanted.options["count"] * wanted.options["size"] ** 2
    result = await asyncio.wrap_future(service.submit(task, wanted.model, on_progress=tell, weight=weight))
    transfers = await _judged(service, result, wanted.judge)
    figures = {**_figures(result, wanted, transfers), "seconds": round(time.monotonic() - begun, 3)}

    def keep() -> Kept:
        kept = Kept(figures, tuple(encode(each.picture) for each in result.drawn))
        service.cache.put(key, kept.to_bytes())
        return kept

    return await run_sync(keep, limiter=service.presenters)


async def shoot(service: Service, wanted: Wanted, key: str, format: Format, tell: Listener) -> bytes:
    """Draw once more with a frame of every step, and keep the film."""
    reel = Reel()

    def listen(progress: Progress) -> None:
        reel.put(progress)
        tell(progress)

    kept = await draw(service, wanted, key, listen)

    def develop() -> bytes:
        film = reel.develop(kept.outcome().image, format="gif" if format is Format.gif else "webp")
        service.cache.put(film_key(key, format), film)
        return film

    return await run_sync(develop, limiter=service.presenters)


def film_key(key: str, format: Format) -> str:
    """Where a film lies in the cache."""
    return f"{key}:{format.value}"


async def _judged(service: Service, result: Ideal, chosen: Judge | None) -> list[dict[str, Any] | None]:
    """The other model's word on each picture; a house that is full and a judge that fails leave it out."""
    if chosen is None:
        return [None] * len(result.drawn)
    try:
        tasks = [judge(each.picture, chosen.index, chosen.model.spec) for each in result.drawn]
        futures = [asyncio.wrap_future(service.submit(task, chosen.model)) for task in tasks]
        found = await asyncio.gather(*futures)
    except Exception:
        logger.exception("%s could not be asked what it sees", chosen.model.name)
        return [None] * len(result.drawn)
    return [
        {"model": chosen.model.name, "label": each.top.label, "probability": each.probability, "rank": each.rank}
        for each in found
    ]


def _figures(result: Ideal, wanted: Wanted, transfers: list[dict[str, Any] | None]) -> dict[str, Any]:
    of_class = isinstance(wanted.subject, int)
    pictures = [
        {
            "seed": each.seed,
            "steps": each.steps,
            "score": _score(each, transfer, of_class=of_class),
            "reason": each.reason,
            "image": None,
        }
        for each, transfer in zip(result.drawn, transfers, strict=True)
    ]
    return {
        "model": wanted.model.name,
        "label": result.subject.label,
        "index": wanted.subject if isinstance(wanted.subject, int) else None,
        "layer": None if isinstance(wanted.subject, int) else wanted.subject[0].name,
        "channel": None if isinstance(wanted.subject, int) else wanted.subject[1],
        "score": pictures[0]["score"],
        "reason": pictures[0]["reason"],
        "pictures": pictures,
        "options": dict(result.options),
        "passes": asdict(result.passes),
    }


def _score(drawn: Drawn, transfer: dict[str, Any] | None, *, of_class: bool) -> dict[str, Any]:
    told = asdict(drawn.score)
    seen = told.pop("seen")
    return {
        "probability": seen if of_class else None,
        "activation": None if of_class else seen,
        "on_noise": drawn.on_noise,
        **told,
        "weakest": drawn.score.weakest,
        "transfer": transfer,
    }

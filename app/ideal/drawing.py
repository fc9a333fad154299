"""An ideal picture as a service: drawn once, kept, and handed to all who ask for the same."""

import asyncio
import hashlib
import json
import logging
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from functools import cache, partial
from typing import Any

import torch
from anyio.to_thread import run_sync
from torch import Tensor

from app.engine.batches import DoesNotFit
from app.engine.progress import Listener
from app.ideal.answer import Kept, look_up
from app.ideal.film import Reel
from app.ideal.judge import Judge
from app.web.formats import Format
from app.web.service import Service
from app.web.streaming import PREVIEW_SIDE
from app.web.thumbnail import thumbnail
from models.ideal import Drawn, Ideal, ideal
from models.ideal.judge import Judgement, judge
from models.ideal.task import held_pixels
from models.layers import Layer
from models.pictures import encode
from models.preprocessing import to_float
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

    @property
    def weight(self) -> int:
        """For the engine: how many pixels are held at once."""
        size, count = self.options["size"], self.options["count"]
        return held_pixels(self.model.spec, self.options, size=size, count=count)

    def key(self, device: torch.device, rows: int) -> str:
        """Digest of all that the answer depends on, the machine's share of it included; hashes the model's weights.

        `rows` is how many go through the network at once: sums are rounded as it has it.
        """
        depends = {
            "edition": EDITION,
            "model": [self.model.name, self.model.digest],
            "subject": self.subject if isinstance(self.subject, int) else [self.subject[0].name, self.subject[1]],
            "method": self.method,
            "options": dict(self.options),
            "judge": None if self.judge is None else [self.judge.model.name, self.judge.model.digest],
            "machine": [str(device), rows, torch.get_num_threads(), str(torch.__version__)],
        }
        return hashlib.sha256(json.dumps(depends, sort_keys=True).encode()).hexdigest()


async def kept_or_drawn(service: Service, wanted: Wanted, key: str, tell: Listener) -> Kept:
    """As it is kept, or else drawn now."""
    return await run_sync(look_up, service, key) or await draw(service, wanted, key, _lightly(tell))


async def draw(service: Service, wanted: Wanted, key: str, tell: Listener) -> Kept:
    """Draw, have it judged, and keep the answer."""
    begun, rows = time.monotonic(), service.engine.max_rows
    device = service.registry.device
    task = ideal(wanted.subject, wanted.model.spec, method=wanted.method, device=device, **wanted.options)
    result = await asyncio.wrap_future(service.submit(task, wanted.model, on_progress=tell, weight=wanted.weight))
    transfers = await _judged(service, result, wanted.judge)
    figures = {**_figures(result, wanted, transfers), "seconds": round(time.monotonic() - begun, 3)}

    def keep() -> Kept:
        whole = transfers is not None and rows == service.engine.max_rows
        kept = Kept(figures, tuple(encode(each.picture) for each in result.drawn), whole=whole)
        if kept.whole:
            service.cache.put(key, kept.to_bytes())
        return kept

    return await run_sync(keep, limiter=service.presenters)


async def shoot(service: Service, wanted: Wanted, key: str, format: Format, tell: Listener) -> bytes:
    """Draw once more with a frame of every step, and keep the film; raises DoesNotFit where a frame is lost."""
    reel, small = Reel(), _lightly(tell)

    def listen(progress: Progress) -> None:
        small(progress)
        reel.put(progress)

    kept = await draw(service, wanted, key, listen)
    if reel.torn:
        raise DoesNotFit

    def develop() -> bytes:
        film = reel.develop(kept.outcome().image, format="gif" if format is Format.gif else "webp")
        service.cache.put(film_key(key, format), film)
        return film

    return await run_sync(develop, limiter=service.presenters)


def film_key(key: str, format: Format) -> str:
    """Where a film lies in the cache."""
    return f"{key}:{format.value}"


def _lightly(tell: Listener) -> Listener:
    """With a small preview, that is drawn at most once for all who listen."""

    def shrunk(progress: Progress) -> Tensor:
        preview = progress.render()
        assert preview is not None, "a drawing shows itself at every step"
        return to_float(thumbnail(preview, PREVIEW_SIDE))

    return lambda progress: tell(replace(progress, picture=cache(partial(shrunk, progress))))


async def _judged(service: Service, result: Ideal, chosen: Judge | None) -> list[dict[str, Any] | None] | None:
    """The other model's word on each picture, None for each without a judge; None where it could not be asked."""
    if chosen is None:
        return [None] * len(result.drawn)
    futures: list[asyncio.Future[Judgement]] = []
    try:
        for each in result.drawn:
            task = judge(each.picture, chosen.index, chosen.model.spec)
            futures.append(asyncio.wrap_future(service.submit(task, chosen.model, sequel=True)))
        found = await asyncio.gather(*futures)
    except Exception:  # the drawing itself is not to be lost
        logger.exception("%s could not be asked what it sees", chosen.model.name)
        for future in futures:
            future.cancel()
        return None
    return [
        {"model": chosen.model.name, "label": each.top.label, "probability": each.probability, "rank": each.rank}
        for each in found
    ]


def _figures(result: Ideal, wanted: Wanted, transfers: list[dict[str, Any] | None] | None) -> dict[str, Any]:
    of_class = isinstance(wanted.subject, int)
    pictures = [
        {
            "seed": each.seed,
            "steps": each.steps,
            "score": _score(each, transfer, of_class=of_class),
            "reason": each.reason,
            "image": None,
        }
        for each, transfer in zip(result.drawn, transfers or [None] * len(result.drawn), strict=True)
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

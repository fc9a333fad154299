"""From uploaded files to their most probable classes: what POST /classify and POST /classify/batch share."""

import time
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass

from fastapi import Request

from app.operations.responses import Classification
from app.web.schemas import Prediction
from app.web.service import Service, result_for
from app.web.uploads.uploads import PIXELS_SETTING, on_decoder, reading
from models import classify
from models.pictures import PictureError
from models.store import Model
from models.view import View, stacked, view

CLEAR = 2.0
"""How many times as probable as the second class the first one must be, or else a picture that was decoded at a smaller
scale is decoded again in full (docs/decisions/0041)."""


@dataclass(frozen=True)
class Job:
    """How the pictures of one request are classified; `begun` is on the clock of time.monotonic()."""

    service: Service
    model: Model
    top: int
    begun: float

    def seconds_left(self) -> float:
        """Seconds until the deadline of the request; at least a millisecond."""
        return max(self.begun + self.service.settings.deadline_s - time.monotonic(), 0.001)


@dataclass(frozen=True)
class _Seen:
    """What the network saw of a picture, and the classes that it found, two at least."""

    view: View
    predictions: list[classify.Prediction]

    @property
    def is_unsure(self) -> bool:
        """Whether decoding the picture in full could change its first class."""
        first, second = (prediction.probability for prediction in self.predictions[:2])
        return not self.view.exact and first < CLEAR * second

    def response(self, job: Job) -> Classification:
        return Classification(
            model=job.model.name,
            width=self.view.width,
            height=self.view.height,
            predictions=[Prediction.model_validate(prediction) for prediction in self.predictions[: job.top]],
        )


@dataclass(frozen=True)
class Begun:
    """Some files of which the network sees what could be decoded; `future` gets the classes of these, in order."""

    files: Sequence[bytes]
    views: list[View | PictureError]
    future: Future[list[list[classify.Prediction]]] | None

    def cancel(self) -> None:
        """Let the engine drop the task; has no effect where it is done."""
        if self.future is not None:
            self.future.cancel()


async def begin(job: Job, files: Sequence[bytes], *, exact: bool = False, sequel: bool = False) -> Begun:
    """Decode the files and hand what the network sees of them to the engine, as one task.

    Both are one piece of work on one thread, so that the task does not wait for the event loop in between. A file that
    cannot be read fails alone. Raises Overloaded and ShuttingDown; a `sequel` is let in as by `Engine.submit`.
    """
    return await on_decoder(job.service, lambda: _begin(job, files, exact=exact, sequel=sequel))


async def finish(request: Request, job: Job, begun: Begun) -> list[Classification | PictureError]:
    """The classes of each file, or why it cannot be read, in order.

    A picture that was decoded at a smaller scale and is nearly a tie is decoded again in full. Raises ClientLeft and
    the errors of the engine.
    """
    seen = await _seen(request, begun)
    unsure = [number for number, item in enumerate(seen) if isinstance(item, _Seen) and item.is_unsure]
    if unsure:
        again = await begin(job, [begun.files[number] for number in unsure], exact=True, sequel=True)
        for number, item in zip(unsure, await _seen(request, again), strict=True):
            seen[number] = item
    return [item.response(job) if isinstance(item, _Seen) else item for item in seen]


async def _seen(request: Request, begun: Begun) -> list[_Seen | PictureError]:
    classes: list[list[classify.Prediction]] = []
    if begun.future is not None:
        classes = await result_for(request, begun.future)
    remaining = iter(classes)
    return [_Seen(item, next(remaining)) if isinstance(item, View) else item for item in begun.views]


def _begin(job: Job, files: Sequence[bytes], *, exact: bool, sequel: bool) -> Begun:
    items = [_view(job, file, exact=exact) for file in files]
    views = [item for item in items if isinstance(item, View)]
    if not views:
        return Begun(files, items, None)
    pixels = stacked(views).to(job.service.registry.device)
    task = classify.classify_inputs(pixels, job.model.spec, top=max(job.top, 2))
    future = job.service.submit(task, job.model, deadline_s=job.seconds_left(), sequel=sequel)
    return Begun(files, items, future)


def _view(job: Job, file: bytes, *, exact: bool) -> View | PictureError:
    max_pixels = job.service.settings.max_pixels
    try:
        with reading(job.service, "image") as lease:
            return view(
                file, job.model.spec, exact=exact, max_pixels=max_pixels, limit_name=PIXELS_SETTING, admit=lease.take
            )
    except PictureError as error:
        return error

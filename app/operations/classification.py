"""From uploaded files to their most probable classes: what POST /classify and POST /classify/batch share."""

import contextlib
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, InvalidStateError
from dataclasses import dataclass
from functools import partial
from typing import Self

from app.memory.budget import MemoryIsTaken, NeedsTooMuchMemory, Reservation
from app.memory.costs import SMALL_PIXELS, of_decoding
from app.operations.responses import Classification
from app.web.schemas import Prediction
from app.web.service import result_for
from app.web.ticket import Ticket
from app.web.uploads.uploads import PIXELS_SETTING, naming
from models import classify
from models.pictures import Decoded, PictureError, of_levels
from models.query import DeadlineExceeded
from models.store import Model
from models.view import View, stacked, view

CLEAR = 2.0
"""How many times as probable as the second class the first one must be, or else a picture that was decoded at a smaller
scale is decoded again in full (docs/decisions/0041)."""


@dataclass(frozen=True)
class Job:
    """How the pictures of one request are classified."""

    ticket: Ticket
    model: Model
    top: int


@dataclass(frozen=True)
class _Seen:
    """What the network saw of a picture, and the classes that it found: two at least, or the only one that it has.

    For a network of several labels per picture these are all of its labels.
    """

    view: View
    predictions: list[classify.Prediction]
    multi_label: bool

    @property
    def is_unsure(self) -> bool:
        """Whether decoding the picture in full could change its first class, or which labels are found."""
        if self.view.exact:
            return False
        probabilities = [prediction.probability for prediction in self.predictions]
        if self.multi_label:  # each label against its absence
            return any(max(found, 1 - found) < CLEAR * min(found, 1 - found) for found in probabilities)
        first, *second = probabilities[:2]
        return any(first < CLEAR * probability for probability in second)

    def response(self, job: Job) -> Classification:
        return Classification(
            model=job.model.name,
            version=job.model.version,
            width=self.view.width,
            height=self.view.height,
            predictions=[Prediction.model_validate(prediction) for prediction in self.predictions[: job.top]],
        )


@dataclass(frozen=True)
class Begun:
    """Some files that are being classified.

    `future` gets what the network saw of each, or why it cannot be read; `submitted` is done when the files are decoded
    and the engine has the task, or has refused it.
    """

    job: Job
    files: Sequence[bytes]
    future: "Future[list[_Seen | PictureError]]"
    submitted: Future[None]

    async def admitted(self) -> None:
        """Wait until the engine has the task; raises Overloaded, ShuttingDown and DeadlineExceeded."""
        ticket = self.job.ticket
        try:
            await result_for(ticket.request, self.submitted, ticket.until)
        except BaseException:
            self.cancel()
            raise
        if self.future.done():
            self.future.result()

    def cancel(self) -> None:
        """Let the work be dropped where it has not been done yet."""
        self.future.cancel()


def begin(job: Job, files: Sequence[bytes], *, exact: bool = False, sequel: bool = False) -> Begun:
    """Have the files decoded on a thread of the service, which hands them to the engine as one task.

    The engine resolves the future, so between the request and the result nothing waits for the event loop, and no work
    on the event loop slows down the network's pass. A file that cannot be read fails alone. The future raises
    Overloaded, ShuttingDown and the errors of the engine; a `sequel` is let in as by `Engine.submit`.
    """
    result: Future[list[_Seen | PictureError]] = Future()
    decoders = job.ticket.service.decoders
    submitted = decoders.submit(_decode_and_submit, job, files, result, exact=exact, sequel=sequel)
    result.add_done_callback(lambda _: submitted.cancel())  # it waits in vain; has no effect where it is done
    return Begun(job, files, result, submitted)


async def finish(job: Job, begun: Begun) -> list[Classification | PictureError]:
    """The classes of each file, or why it cannot be read, in order.

    A picture that was decoded at a smaller scale and is nearly a tie is decoded again in full. Raises ClientLeft and
    what `begin` says of the future.
    """
    request, until = job.ticket.request, job.ticket.until
    seen = await result_for(request, begun.future, until)
    unsure = [number for number, item in enumerate(seen) if isinstance(item, _Seen) and item.is_unsure]
    if unsure:
        again = begin(job, [begun.files[number] for number in unsure], exact=True, sequel=True)
        in_full = await result_for(request, again.future, until)
        for number, item in zip(unsure, in_full, strict=True):
            seen[number] = item
    return [item.response(job) if isinstance(item, _Seen) else item for item in seen]


def _decode_and_submit(
    job: Job, files: Sequence[bytes], result: "Future[list[_Seen | PictureError]]", *, exact: bool, sequel: bool
) -> None:
    if result.cancelled():
        return
    try:
        if time.monotonic() > job.ticket.until:
            raise DeadlineExceeded("the picture waited too long to be decoded: try again when fewer requests are sent")
        items = [_view(job, file, exact=exact) for file in files]
        views = [item for item in items if isinstance(item, View)]
        if not views:
            _resolve(lambda: result.set_result(_seen(job, items, [])))
            return
        pixels = stacked(views).to(job.ticket.service.registry.device)
        spec = job.model.spec
        top = len(spec.classes) if spec.multi_label else max(job.top, 2)
        task = classify.classify_inputs(pixels, spec, top=top)
        classes = job.ticket.submit(task, job.model, sequel=sequel)
    except Exception as error:
        _resolve(partial(result.set_exception, error))
        return
    result.add_done_callback(lambda _: classes.cancel())  # if the client leaves; else it is done by then
    classes.add_done_callback(partial(_hand_on, job, items, result))


def _hand_on(
    job: Job,
    items: list[View | PictureError],
    result: "Future[list[_Seen | PictureError]]",
    classes: "Future[list[list[classify.Prediction]]]",
) -> None:
    """Pass on what the engine has found; the engine's thread calls this."""
    if classes.cancelled():
        result.cancel()
    elif (error := classes.exception()) is not None:
        _resolve(partial(result.set_exception, error))
    else:
        _resolve(lambda: result.set_result(_seen(job, items, classes.result())))


def _resolve(answer: Callable[[], None]) -> None:
    with contextlib.suppress(InvalidStateError):  # the client has left
        answer()


def _seen(
    job: Job, items: list[View | PictureError], classes: list[list[classify.Prediction]]
) -> list[_Seen | PictureError]:
    remaining, multi_label = iter(classes), job.model.spec.multi_label
    return [_Seen(item, next(remaining), multi_label) if isinstance(item, View) else item for item in items]


def _view(job: Job, file: bytes, *, exact: bool) -> View | PictureError:
    try:
        with naming("image"), _Memory(job) as memory:
            return view(file, job.model.spec, exact=exact, read=memory.read)
    except PictureError as error:
        return error


class _Memory:
    """The memory for decoding one picture: that of a small one at first, and of its true size if it is larger."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._held: Reservation | None = None

    def read(self, data: bytes, *, shorter: int | None) -> Decoded:
        """Decode the file; raises the errors of `models.pictures.inspect`, and of `Decoders.decode`."""
        service = self._job.ticket.service
        with contextlib.suppress(MemoryIsTaken, NeedsTooMuchMemory):  # then its size is asked for
            self._held = service.memory.reserve_now(of_decoding(SMALL_PIXELS))
        read = service.decoders.decode(
            data,
            max_pixels=service.settings.max_pixels,
            shorter=shorter,
            limit_name=PIXELS_SETTING,
            until=self._job.ticket.until,
            admit=self._admit,
            free_pixels=0 if self._held is None else SMALL_PIXELS,
        )
        return of_levels(read)

    def _admit(self, pixels: int) -> None:
        self._release()  # who holds memory must not wait for more
        self._held = self._job.ticket.reserve(of_decoding(pixels), stays=False)

    def _release(self) -> None:
        if self._held is not None:
            self._held.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._release()

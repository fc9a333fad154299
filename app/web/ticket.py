"""One request's place among those that are worked on, its deadline since it arrived, and the memory that it holds."""

import contextlib
import threading
import time
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import Future
from typing import Annotated, TypeVar

from fastapi import Depends, Request

from app.addresses import network_of
from app.engine.pace import Pace
from app.engine.progress import Listener
from app.memory.allocator import return_freed_memory
from app.memory.budget import MemoryIsTaken, Reservation
from app.memory.costs import ALWAYS_LEFT
from app.web.middleware.body_memory import body_memory
from app.web.service import Service, ServiceDependency
from models.query import Task
from models.store import Model

Result = TypeVar("Result")
PATIENCE_S = 2.0
"""Seconds to wait for memory: as long as decoding a few large pictures takes."""


class Ticket:
    """The admission of one request; `until` is its deadline, on the clock of time.monotonic().

    The place goes to the task of the request, whose end frees it. All that is left is given back by `close`.
    """

    def __init__(self, request: Request, service: Service, place: Pace, until: float) -> None:
        self.request = request
        self.service = service
        self.until = until
        self._place = place
        self._memory: list[Reservation] = []
        self._closed = False
        self._lock = threading.Lock()

    @property
    def seconds_left(self) -> float:
        """Seconds until the deadline; at least a millisecond."""
        return max(self.until - time.monotonic(), 0.001)

    def shorten(self, deadline_s: float | None) -> None:
        """Set the deadline so many seconds after the arrival, if that is sooner; None leaves it."""
        if deadline_s is not None:
            self.until = min(self.until, self._place.begun + deadline_s)

    def reserve(self, size: int, *, stays: bool = True) -> Reservation:
        """Memory for this request; the caller gives it back, or hands it to `keep`.

        With `stays` it is held to the end of the request, and not only while a picture is decoded.

        Waits for it for PATIENCE_S seconds at most: whoever calls this also occupies a decoder. It does not wait where
        the request keeps some already, since others may wait for that. Raises Overloaded, and NeedsTooMuchMemory where
        there could never be room for it beside the body of the request and what it keeps.
        """
        memory, until = self.service.memory, min(self.until, time.monotonic() + PATIENCE_S)
        leave = ALWAYS_LEFT if stays else 0
        held = body_memory(self.request.scope) + sum(kept.size for kept in self._memory)
        try:
            if self._memory:
                reservation = memory.reserve_now(size, leave=leave, held=held)
            else:
                reservation = memory.reserve(size, until=until, leave=leave, held=held)
        except MemoryIsTaken:
            self.service.engine.admission.refuse()
        if memory.scarce:
            # What requests before have given back is still kept by glibc, and decoder processes cannot use it: with
            # both, a service with 2.5 GB took 2.6 GB (python -m soak memory).
            return_freed_memory()
        return reservation

    def keep(self, memory: Reservation) -> None:
        """Keep memory until the request ends; if it has ended already, the memory is given back."""
        with self._lock:
            if not self._closed:
                self._memory.append(memory)
                return
        memory.release()

    def submit(
        self, task: Task[Result], model: Model, *, on_progress: Listener | None = None, sequel: bool = False
    ) -> "Future[Result]":
        """Hand a task of this request to the engine; `sequel` is for all but the first (see `Engine.submit`)."""
        place = self._place
        if sequel:
            place = Pace(getattr(task, "__name__", ""), place.owner, has_key=place.has_key, quick=place.quick)
            self.service.engine.admission.admit(place, is_sequel=True)
        return self.service.engine.submit(
            task, model.classifier, deadline_s=self.seconds_left, on_progress=on_progress, place=place
        )

    def keep_place(self) -> None:
        """Keep the place until the request ends, and not only until its first task does."""
        self._place.is_held = True

    def close(self) -> None:
        """Give back the memory, and the place unless it was given to a task, which may still be running."""
        with self._lock:
            self._closed = True
        for memory in self._memory:
            memory.release()
        self.service.engine.admission.release_after_request(self._place)


def arrival(request: Request) -> float:
    """When the request arrived, on the clock of time.monotonic()."""
    return float(getattr(request.state, "arrived", time.monotonic()))


def place_of(request: Request, *, quick: bool = False) -> Pace:
    """A place for the request that is not admitted yet; requests to the same operation are of one kind.

    It is owned by the request's API key, or by the client's address where the service has no keys.
    """
    kind, key = getattr(request.scope.get("route"), "name", ""), getattr(request.state, "key_name", "")
    owner = key or network_of(request.client.host if request.client else "")
    return Pace(kind, owner, has_key=bool(key), quick=quick, begun=arrival(request))


@contextlib.contextmanager
def _admitted(request: Request, service: Service, *, quick: bool) -> Iterator[Ticket]:
    """Admit the request until the end of the block; raises Overloaded, TooLate and ShuttingDown."""
    place = place_of(request, quick=quick)
    ticket = Ticket(request, service, place, place.begun + service.settings.deadline_s)
    service.engine.admission.admit(place, ticket.seconds_left, ahead_s=service.decoders.seconds_ahead())
    try:
        yield ticket
    finally:
        ticket.close()


async def _ticket(request: Request, service: ServiceDependency) -> AsyncIterator[Ticket]:
    with _admitted(request, service, quick=False) as ticket:
        yield ticket


async def _quick_ticket(request: Request, service: ServiceDependency) -> AsyncIterator[Ticket]:
    with _admitted(request, service, quick=True) as ticket:
        yield ticket


QuickTicket = Annotated[Ticket, Depends(_quick_ticket)]
"""A TicketDependency for operations that take a single pass through the network."""
TicketDependency = Annotated[Ticket, Depends(_ticket)]
"""Admits the request to which it belongs until its response is sent. It stands after the form among the parameters of
an endpoint, so that a request is admitted when its body has arrived and its options are valid."""

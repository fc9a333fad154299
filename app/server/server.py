"""The server of one application: it watches its connections, and stops in steps that end in time (decision 0052)."""

import asyncio
import contextlib
import faulthandler
import logging
import math
import signal
import socket
import time
from types import FrameType

import uvicorn
from fastapi import FastAPI

from app.server.connection import Connection
from app.server.limits import BoundedConfig, Limits
from app.settings import Settings
from app.web.service import Service
from app.web.stopping import Stopping

logger = logging.getLogger(__name__)
CHECK_TICKS = 5
"""Ticks of uvicorn's main loop, of 0.1 s each, between two checks of all connections."""
ENDING, CANCELLING, CLOSING = 0.7, 0.9, 0.94
"""Parts of MIRAGE_STOP_S after which running tasks end with their best result so far, which is then verified, encoded
and sent; after which requests that are still running are cancelled; and after which all connections are closed."""
ANSWER_S = 0.5
"""Most seconds for the answers to cancelled requests to be sent."""
HURRY_S = 3.0
"""Seconds after a second signal when the process ends at the latest."""


def end_after(seconds: float) -> None:
    """Let a thread in C, which nothing in Python holds up, end the process with exit code 1, and say where it was.

    This happens only if the steps of the stop have failed.
    """
    with contextlib.suppress(OSError, ValueError, RuntimeError):  # there is no standard error to write to
        faulthandler.dump_traceback_later(seconds, exit=True)


class Server(uvicorn.Server):
    """Serves an application of `create_app`. A first signal stops it in steps, a second one at once.

    On SIGTERM the readiness probe answers 503 for MIRAGE_DRAIN_S seconds, so that load balancers look for another
    instance, while everything is still served. Then the service listens no more, requests whose bodies are not complete
    are refused, and those that are running are finished. The process ends MIRAGE_STOP_S seconds after the signal at the
    latest, whatever its clients do. Other signals (Ctrl-C), and a service that was not ready, skip the first step.
    """

    def __init__(self, app: FastAPI, settings: Settings) -> None:
        config = BoundedConfig(
            Limits.of(settings),
            app.state.request_metrics,
            app=app,
            http=Connection,
            ws="none",  # an upgrade to a websocket is answered as if it had not been asked for
            log_config=None,
            access_log=False,  # app/web/middleware/access_log.py writes one
            log_level=settings.log_level,
            proxy_headers=False,  # app/web/middleware/proxy.py reads them
        )
        super().__init__(config)
        self._app = app
        self._settings = settings
        self._was_ready = False  # before the signal
        self._signalled_at: float | None = None  # on the clock of time.monotonic()
        self._drained_at = math.inf
        self._cancel_at = math.inf

    @property
    def _stopping(self) -> Stopping:
        stopping: Stopping = self._app.state.stopping
        return stopping

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Called by Python on a signal, between any two steps of the main thread: it takes no lock and logs nothing."""
        now = time.monotonic()
        if self._signalled_at is not None:
            self._drained_at = self._cancel_at = now
            self.force_exit = True
            return end_after(HURRY_S)
        self._stopping.is_draining = True
        self._signalled_at = now
        self._drained_at = now + (self._settings.drain_s if sig == signal.SIGTERM and self._was_ready else 0)
        end_after(self._settings.stop_s)

    @property
    def _service(self) -> Service:
        service: Service = self._app.state.service
        return service

    async def on_tick(self, counter: int) -> bool:
        """Called ten times in a second; returns whether the server shall stop listening."""
        if counter % CHECK_TICKS == 0:
            now = time.monotonic()
            for connection in self._connections():
                connection.check(now)
        if self._signalled_at is None:
            self._was_ready = self._service.readiness() == "ready"
        return await super().on_tick(counter) or time.monotonic() >= self._drained_at

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Finish what is running, in time, and end the application."""
        stop_s = self._settings.stop_s
        begun = time.monotonic() if self._signalled_at is None else self._signalled_at
        logger.info("stopping: running requests are finished within %g s", stop_s)
        for _ in range(2):  # turns of the event loop, in which it accepts the connections that wait for that
            await asyncio.sleep(0)
        for server in self.servers:
            server.close()
        for listener in sockets or []:
            listener.close()
        self._stopping.refuse_bodies()
        self._service.engine.end_by(begun + ENDING * stop_s)
        self._cancel_at = min(self._cancel_at, begun + CANCELLING * stop_s)
        await self._let_requests_end()  # at least once: the last connections are not known before
        while self._is_busy() and time.monotonic() < self._cancel_at:
            await self._let_requests_end()
        await self._cancel_requests()
        if not self.force_exit:
            try:
                await asyncio.wait_for(self.lifespan.shutdown(), 0.9 * (begun + stop_s - time.monotonic()))
            except TimeoutError:  # app/__main__.py ends the process all the same
                logger.warning("some threads are still at work; they are left behind")

    def _is_busy(self) -> bool:
        return bool(self.server_state.connections or self.server_state.tasks)

    async def _let_requests_end(self) -> None:
        await asyncio.sleep(0.05)
        for connection in self._connections():
            connection.shutdown()

    async def _cancel_requests(self) -> None:
        """Answer the requests that are still running with 503, and close all connections."""
        if self.server_state.tasks:
            logger.warning("%d requests are not done and are cancelled", len(self.server_state.tasks))
        for task in list(self.server_state.tasks):
            task.cancel()
        end = time.monotonic() + min(ANSWER_S, (CLOSING - CANCELLING) * self._settings.stop_s)
        while self._is_busy() and time.monotonic() < end:
            await self._let_requests_end()
        for connection in self._connections():
            connection.transport.abort()

    def _connections(self) -> list[Connection]:
        return [connection for connection in self.server_state.connections if isinstance(connection, Connection)]

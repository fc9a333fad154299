"""Sends calls over HTTP and reads the responses; retries those that the service had no room for."""

import contextlib
import json
from asyncio import sleep
from collections.abc import AsyncGenerator, AsyncIterator
from typing import TYPE_CHECKING, Any, TypeVar

from mirage.address import LOOPBACK, Address
from mirage.calls import Call
from mirage.errors import ConnectionLost, NotReached, Overloaded, ProxyFailed, UnexpectedResponse, of_problem
from mirage.problem import Problem
from mirage.results.reading import read
from mirage.retries import Retries
from mirage.version import __version__

if TYPE_CHECKING:
    import httpx  # imported late: it takes longer than all else of this package together

Result = TypeVar("Result")
CONNECT_S = 10.0
"""Seconds for a connection to be made."""
SLACK_S = 60.0
"""Seconds that a request with a deadline of its own may wait for its response beyond that: for its turn, the
verification of the result, and the way."""
GATEWAY = (502, 503, 504)
"""Statuses with which a proxy says that it has not reached the service."""
PROBLEM, JSON, EVENTS, TEXT = "application/problem+json", "application/json", "text/event-stream", "text/markdown"


class Connection:
    """The connections to one service; to be used on one event loop."""

    def __init__(
        self, address: Address, *, timeout_s: float, retry_s: float, transport: "httpx.AsyncBaseTransport | None"
    ) -> None:
        import httpx

        self.address = address
        self._timeout_s, self._retry_s, self._reached = timeout_s, retry_s, False
        if transport is None and address.socket:
            transport = httpx.AsyncHTTPTransport(uds=address.socket)
        self._http = httpx.AsyncClient(
            headers={"User-Agent": f"mirage-client/{__version__}"}
            | ({"X-API-Key": address.api_key} if address.api_key else {}),
            timeout=httpx.Timeout(timeout_s, connect=CONNECT_S, pool=None),
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=64),
            transport=transport,
            mounts={f"all://{host}": None for host in LOOPBACK} if transport is None else {},
        )

    async def close(self) -> None:
        """Close all connections; what is under way ends, and the service drops its work for it."""
        await self._http.aclose()

    async def result(self, call: Call[Result]) -> Result:
        """Send the call and return its result. Raises the errors of `mirage.errors`."""
        async with self.response(call, TEXT if call.kind is str else JSON) as response:
            content = await self._content(response)
        if call.kind is str:
            return content.decode("utf-8", errors="replace")  # type: ignore[return-value]
        return call.result(_json(content, self.address))

    @contextlib.asynccontextmanager
    async def response(self, call: Call[Any], media_type: str) -> "AsyncGenerator[httpx.Response]":
        """Send the call, again where that is safe, and give the response once it is known to be of this type.

        The content is still to be read. Leaving the block closes the connection unless all was read.
        """
        retries = Retries(self._retry_s, call.repeatable, self._reached)
        while True:
            try:
                response = await self._send(call, media_type)
                break
            except Overloaded as error:
                pause_s = retries.after_refusal(error)
            except NotReached as error:
                pause_s = retries.after_no_connection(error)
            except (ConnectionLost, ProxyFailed) as error:
                pause_s = retries.after_loss(error)
            await sleep(pause_s)
        try:
            yield response
        finally:
            await response.aclose()

    async def _send(self, call: Call[Any], media_type: str) -> "httpx.Response":
        import httpx

        request = self._request(call, media_type)
        try:
            response = await self._http.send(request, stream=True)
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.ProxyError, httpx.UnsupportedProtocol) as error:
            raise NotReached(
                f"the service at {self.address} cannot be reached ({_reason(error)}): check the address, and whether "
                "it runs; `mirage serve` starts it where it is installed"
            ) from error
        except httpx.TransportError as error:
            raise _lost(error, self.address) from error
        self._reached = True
        try:
            await self._check(response, media_type)
        except BaseException:
            await response.aclose()
            raise
        return response

    def _request(self, call: Call[Any], media_type: str) -> "httpx.Request":
        import httpx

        options = dict(call.options)
        timeout_s = max(self._timeout_s, call.deadline_s + SLACK_S if call.deadline_s else 0)
        return self._http.build_request(
            call.method,
            self.address.url + call.path,
            params=options if call.method == "GET" and options else None,
            data=options if call.method == "POST" else None,
            # A name that is not the user's: the service needs none, and names of files may be private.
            files=[(name, ("picture", content, "application/octet-stream")) for name, content in call.pictures] or None,
            headers={"Accept": f"{media_type}, {PROBLEM}"},
            timeout=httpx.Timeout(timeout_s, connect=CONNECT_S, pool=None),
        )

    async def _check(self, response: "httpx.Response", media_type: str) -> None:
        """Raise the error that the response stands for, unless it is a success of the type."""
        found = response.headers.get("content-type", "").partition(";")[0].strip().lower()
        if response.status_code == 200 and found == media_type:
            return
        if found == JSON and response.url.path.endswith("/health/ready"):
            return  # the state of a service that is not ready comes with the status 503
        if found == PROBLEM:
            problem = read(Problem, _json(await self._content(response), self.address))
            retry_after = response.headers.get("retry-after", "")
            raise of_problem(problem, float(retry_after) if retry_after.isdecimal() else None)
        where = f"{self.address} answered with the status {response.status_code} and {found or 'nothing'}"
        if response.is_redirect:
            raise UnexpectedResponse(f"{where}, and points to {response.headers.get('location', '')}: use that address")
        if response.status_code in GATEWAY:
            raise ProxyFailed(f"{where}: a proxy before the service does not reach it; try again later")
        raise UnexpectedResponse(f"{where}, which is no response of Mirage: check the address")

    async def _content(self, response: "httpx.Response") -> bytes:
        import httpx

        try:
            return await response.aread()
        except (httpx.TransportError, httpx.DecodingError) as error:
            raise _lost(error, self.address) from error

    async def pieces(self, response: "httpx.Response") -> AsyncIterator[bytes]:
        """The content of the response as it arrives. Raises ConnectionLost where it breaks off."""
        import httpx

        try:
            async for piece in response.aiter_bytes():
                yield piece
        except (httpx.TransportError, httpx.DecodingError) as error:
            raise _lost(error, self.address) from error


def _lost(error: Exception, address: Address) -> ConnectionLost:
    import httpx

    if isinstance(error, httpx.TimeoutException):
        return ConnectionLost(f"nothing came from {address} for too long: allow more time with timeout_s, or try again")
    return ConnectionLost(f"the connection to {address} ended before the response ({_reason(error)}): try again")


def _reason(error: Exception) -> str:
    return str(error) or type(error).__name__


def _json(content: bytes, address: Address) -> object:
    try:
        return json.loads(content)
    except ValueError as error:
        raise UnexpectedResponse(f"{address} sent JSON that cannot be read ({error}): try again") from error

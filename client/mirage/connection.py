"""Sends calls over HTTP and reads the responses; retries those that the service had no room for."""

import asyncio
import contextlib
import math
import time
from asyncio import sleep
from collections.abc import AsyncGenerator
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, TypeVar, cast

from mirage.address import Address
from mirage.calls import Call
from mirage.errors import (
    BadAddress,
    ClientClosed,
    ConnectionLost,
    NotReached,
    Overloaded,
    ProxyFailed,
    TimedOut,
    UnexpectedResponse,
    of_problem,
)
from mirage.problem import Problem
from mirage.results.reading import parse, read
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
OF_PROXIES = (401, 403, 413, 429)
"""Statuses with which a proxy itself refuses a request, in a text of its own."""
MOST_BYTES, MOST_PROBLEM_BYTES = 1 << 30, 1 << 20
"""Largest content of a result, which may have several pictures of megabytes, and of a problem."""
PROBLEM, JSON, EVENTS, TEXT = "application/problem+json", "application/json", "text/event-stream", "text/markdown"


class Connection:
    """The connections to one service; to be used on one event loop."""

    def __init__(
        self, address: Address, *, timeout_s: float, retry_s: float, transport: "httpx.AsyncBaseTransport | None"
    ) -> None:
        import httpx

        self.address = address
        self._timeout_s, self._retry_s, self._reached = timeout_s, retry_s, False
        # No decompression: a few bytes can become gigabytes, and pictures gain nothing by it.
        headers = {"User-Agent": f"mirage-client/{__version__}", "Accept-Encoding": "identity"}
        if address.api_key:
            headers["X-API-Key"] = address.api_key
        try:
            if transport is None and address.socket:
                transport = httpx.AsyncHTTPTransport(uds=address.socket)
            self._http = httpx.AsyncClient(
                headers=headers,
                timeout=httpx.Timeout(timeout_s, connect=CONNECT_S, pool=None),
                limits=httpx.Limits(max_connections=None, max_keepalive_connections=64),
                transport=transport,
                verify=httpx.create_ssl_context(),  # with the certificates that SSL_CERT_FILE or SSL_CERT_DIR has
                trust_env=not address.is_local,  # no proxy of the environment can reach this machine
            )
            httpx.URL(address.url)
        except (ImportError, OSError, ValueError, httpx.InvalidURL) as error:
            raise BadAddress(
                f"no connection to {address} can be set up ({error}): check the address, and the proxies and "
                "certificates in the environment (HTTP_PROXY, HTTPS_PROXY, ALL_PROXY, SSL_CERT_FILE, SSL_CERT_DIR)"
            ) from error

    async def close(self) -> None:
        """Close all connections; what is under way ends, and the service drops its work for it."""
        await self._http.aclose()

    async def result(self, call: Call[Result]) -> Result:
        """Send the call and return its result. Raises the errors of `mirage.errors`."""
        async with self.response(call, TEXT if call.kind is str else JSON) as response:
            content = await self._content(response, MOST_BYTES)
        if call.kind is str:
            return content.decode("utf-8", errors="replace")  # type: ignore[return-value]
        # On another thread: it decodes pictures, which takes tenths of a second for large ones.
        return await asyncio.to_thread(lambda: call.result(parse(content, str(self.address))))

    @contextlib.asynccontextmanager
    async def response(self, call: Call[Any], media_type: str) -> "AsyncGenerator[httpx.Response, None]":
        """Send the call, again where that is safe, and give the response once it is known to be of this type.

        The content is still to be read. Leaving the block closes the connection unless all was read.
        """
        retries = Retries(self._retry_s, call.repeatable)
        while True:
            try:
                response = await self._send(call, media_type)
                break
            except Overloaded as error:
                pause_s = retries.after_refusal(error)
            except NotReached as error:
                pause_s = retries.after_no_connection(error, reached=self._reached)
            except (ConnectionLost, ProxyFailed) as error:
                pause_s = retries.after_loss(error)
            await sleep(pause_s)
        try:
            yield response
        finally:
            await response.aclose()

    async def _send(self, call: Call[Any], media_type: str) -> "httpx.Response":
        import httpx

        try:
            response = await self._http.send(self._request(call, media_type), stream=True)
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.ProxyError, httpx.UnsupportedProtocol) as error:
            raise NotReached(
                f"the service at {self.address} cannot be reached ({_reason(error)}): check the address, and whether "
                "it runs; `mirage serve` starts it where it is installed"
            ) from error
        except httpx.TransportError as error:
            self._reached = True  # or else there would be no connection to lose
            raise _lost(error, self.address) from error
        except RuntimeError as error:  # httpx says so of a closed client, and asyncio of another loop
            raise ClientClosed(
                f"the client is closed, or was made on another event loop ({error}): make a new one"
            ) from error
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
            data = parse(await self._content(response, MOST_PROBLEM_BYTES), str(self.address))
            # All fields are optional in RFC 9457, and a proxy may have its own problems.
            given = cast(dict[str, object], data) if isinstance(data, dict) else {}
            raise of_problem(read(Problem, _without_details(response.status_code) | given), _retry_after(response))
        where = f"{self.address} answered with the status {response.status_code} and {found or 'nothing'}"
        if response.is_redirect:
            raise UnexpectedResponse(f"{where}, and points to {response.headers.get('location', '')}: use that address")
        if response.status_code in OF_PROXIES or (response.status_code == 503 and "retry-after" in response.headers):
            raise of_problem(read(Problem, _without_details(response.status_code)), _retry_after(response))
        if response.status_code in GATEWAY:
            raise ProxyFailed(f"{where}: a proxy before the service does not reach it; try again later")
        raise UnexpectedResponse(f"{where}, which is no response of Mirage: check the address")

    async def _content(self, response: "httpx.Response", most: int) -> bytes:
        """The whole content. Raises UnexpectedResponse if it has more bytes than a response of Mirage can have."""
        content = bytearray()
        async with contextlib.aclosing(self.pieces(response)) as pieces:
            async for piece in pieces:
                content += piece
                if len(content) > most:
                    raise UnexpectedResponse(f"{self.address} sent more than {most:,} bytes: is this address Mirage's?")
        return bytes(content)

    async def pieces(self, response: "httpx.Response") -> AsyncGenerator[bytes, None]:
        """The content of the response as it arrives. Raises ConnectionLost where it breaks off."""
        import httpx

        try:
            async for piece in response.aiter_bytes():
                yield piece
        except (httpx.TransportError, httpx.DecodingError) as error:
            raise _lost(error, self.address) from error


def _without_details(status: int) -> dict[str, object]:
    """The fields of a problem about which nothing is known but its status."""
    advice = {401: "give the API key", 403: "ask for another API key", 413: "send a smaller picture"}.get(status)
    detail = f"the service, or a proxy before it, refused the request with the status {status} and gave no reason"
    detail = f"{detail}: {advice or 'try again later'}"
    return {"type": "about:blank", "title": "", "status": status, "detail": detail, "request_id": "unknown"}


def _retry_after(response: "httpx.Response") -> float | None:
    """The seconds in the header Retry-After, which may also be a date (RFC 9110); None if there are none."""
    text = response.headers.get("retry-after", "")
    try:
        seconds = float(text)
    except ValueError:
        try:
            return max(0.0, parsedate_to_datetime(text).timestamp() - time.time())
        except (ValueError, TypeError, OverflowError):
            return None
    return seconds if 0 <= seconds < math.inf else None


def _lost(error: Exception, address: Address) -> ConnectionLost:
    import httpx

    if isinstance(error, httpx.TimeoutException):
        return TimedOut(f"nothing came from {address} for too long: try again when it has less to do")
    return ConnectionLost(f"the connection to {address} ended before the response ({_reason(error)}): try again")


def _reason(error: Exception) -> str:
    return str(error) or type(error).__name__

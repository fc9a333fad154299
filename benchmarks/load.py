"""A load generator in a process of its own: keep-alive connections that send one prepared request after the other."""

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass

BOUNDARY = b"0f1e2d3c4b5a"
BEGINNING_S = 1.0
"""Seconds at the beginning, in which all clients come at once, that are measured apart."""


@dataclass(frozen=True)
class Load:
    """What the clients saw.

    `seconds` are those of each request that was sent after the beginning, `first_seconds` those of each before, and
    `per_second` counts the responses after the beginning. `own_cores` is the generator's share of a core.
    """

    per_second: float
    seconds: list[float]
    first_seconds: list[float]
    own_cores: float

    def quantile(self, fraction: float) -> float:
        """The seconds within which this fraction of the requests was answered (the nearest rank)."""
        ordered = sorted(self.seconds)
        return ordered[min(len(ordered) - 1, int(fraction * len(ordered)))]


def measure(port: int, photos: str, *, clients: int, seconds: float) -> Load:
    """Send requests from `clients` connections for this long after the beginning; each waits for its last response.

    `photos` is a JSON file with a list of pictures in hexadecimal. Raises CalledProcessError where a response is no
    success.
    """
    command = [sys.executable, "-m", "benchmarks.load", str(port), photos, str(clients), str(seconds)]
    output = subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout
    return Load(**json.loads(output))


def form_request(picture: bytes) -> bytes:
    """A POST /classify with the picture as the form field `image`, for a keep-alive connection."""
    part = b'Content-Disposition: form-data; name="image"; filename="a.jpg"\r\nContent-Type: image/jpeg\r\n\r\n'
    body = b"--" + BOUNDARY + b"\r\n" + part + picture + b"\r\n--" + BOUNDARY + b"--\r\n"
    head = (
        f"POST /classify HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {len(body)}\r\n"
        f"Content-Type: multipart/form-data; boundary={BOUNDARY.decode()}\r\n\r\n"
    )
    return head.encode() + body


@dataclass(frozen=True)
class _Response:
    """When the request was sent and answered, on the clock of time.perf_counter()."""

    sent: float
    answered: float


async def _client(port: int, requests: Sequence[bytes], number: int, until: float, responses: list[_Response]) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    while (sent := time.perf_counter()) < until:
        writer.write(requests[number % len(requests)])
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        assert head.startswith(b"http/1.1 200"), head
        await reader.readexactly(int(head.split(b"content-length:")[1].split(b"\r\n")[0]))
        responses.append(_Response(sent, time.perf_counter()))
        number += 7
    writer.close()


async def _run(port: int, pictures: Sequence[bytes], clients: int, duration: float) -> Load:
    requests = [form_request(picture) for picture in pictures]
    responses: list[_Response] = []
    begun, used = time.perf_counter(), time.process_time()
    settled = begun + BEGINNING_S
    until = settled + duration
    await asyncio.gather(*(_client(port, requests, number, until, responses) for number in range(clients)))
    elapsed = time.perf_counter() - begun
    return Load(
        sum(settled <= response.answered < until for response in responses) / duration,
        [response.answered - response.sent for response in responses if response.sent >= settled],
        [response.answered - response.sent for response in responses if response.sent < settled],
        (time.process_time() - used) / elapsed,
    )


if __name__ == "__main__":
    with open(sys.argv[2], encoding="utf-8") as file:
        photos = [bytes.fromhex(text) for text in json.load(file)]
    load = asyncio.run(_run(int(sys.argv[1]), photos, int(sys.argv[3]), float(sys.argv[4])))
    print(json.dumps(load.__dict__))

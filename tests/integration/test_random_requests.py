"""Random requests to the operations that take a picture get the right response, or an error that says what to do."""

import base64
import gzip
import re
import zlib
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from models.pictures import encode
from tests.app.live_service import Live, drawn

PICTURES = tuple(encode(drawn(24, 32, seed), format=format) for seed, format in enumerate(("png", "jpeg", "webp")))
OPTIONS: dict[str, dict[str, str]] = {
    "/classify": {"top": "2", "model": "tiny"},
    "/adversarial": {"attack": "fgsm", "epsilon": "8/255", "norm": "linf", "format": "json", "model": "tiny"},
    "/adversarial/curve": {"norms": "linf", "norm": "linf", "steps": "1", "format": "json"},
    "/adversarial/targets": {"top": "1", "candidates": "1"},
    "/features": {"layer": "features.1", "channels": "2", "format": "json"},
    "/explain": {"target": "cat", "method": "grad_cam", "format": "json"},
}
"""Options that every request has, so that it is quick."""
WRONG = {"topp": "1", "top": "0", "model": "lost", "steps": "many", "format": "bmp", "layer": "none", "seed": "é\x00"}
JUNK = (b"", b"GIF89", b"%PDF-1.7", b"<html></html>", b"https://example.com/cat.jpg", b"cat.jpg", b"\x00\xff" * 40,
        b"{}", b"data:image/png;base64,", b"b'\\x89PNG'")  # fmt: skip
TYPES = ("image/png", "IMAGE/JPEG", "image/*", "image/svg+xml", "application/octet-stream", "text/plain", "text/html",
         "application/x-www-form-urlencoded", "application/json", "application/vnd.api+json", "application/pdf",
         "multipart/mixed; boundary=b", "multipart/form-data", "multipart/form-data; boundary=other", "nonsense", ";",
         "image/png; charset=latin-1", None)  # fmt: skip
NEXT_STEP = re.compile(
    r"\b(send|give|choose|ask|leave .* out|call it|compress|use|download|convert|export|crop|save|raise|draw"
    r"|decode|unpack|GET /\w+|one of|similar names)\b|-F \w+=@",
    re.IGNORECASE,
)
"""Words of an error that tell the client what to do, or an example of a command."""


@dataclass
class RandomRequest:
    """A request, and whether the service has to accept it."""

    route: str
    content: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    query: dict[str, str] = field(default_factory=dict)
    picture: bytes = b""
    right: bool = True


def form(parts: list[tuple[str, bytes, str]]) -> bytes:
    """The body of a multipart form; a part has its name, its data and further parameters or headers."""
    made = [
        f'--b\r\nContent-Disposition: form-data; name="{name}"{more}\r\n\r\n'.encode() + data + b"\r\n"
        for name, data, more in parts
    ]
    return b"".join(made) + b"--b--\r\n"


@st.composite
def requests(draw: st.DrawFn) -> RandomRequest:
    """A right request in any of its forms, or one with a single thing wrong."""
    route = draw(st.sampled_from(list(OPTIONS)))
    request = RandomRequest(route, picture=draw(st.sampled_from(PICTURES)))
    sent = request.picture
    wrong = draw(st.sampled_from(["", "", "junk", "cut", "option", "two", "name", "type", "encoding", "contradiction"]))
    if wrong == "junk":
        sent, request.right = draw(st.sampled_from(JUNK)), False
    elif wrong == "cut":
        sent, request.right = sent[: draw(st.integers(0, len(sent) * 3 // 4))], False
    options = dict(OPTIONS[route])
    if wrong == "option":
        name = draw(st.sampled_from(list(WRONG)))
        options[name], request.right = WRONG[name], False
    places = {name: draw(st.sampled_from(["query", "body", "both"])) for name in options}
    way = draw(st.sampled_from(["multipart", "raw", "json", "urlencoded"]))
    request.query = {name: value for name, value in options.items() if way == "raw" or places[name] != "body"}
    inside = {name: value for name, value in options.items() if way != "raw" and places[name] != "query"}
    if wrong == "contradiction" and request.query:
        inside |= {"steps": "7"} if way != "raw" else {}
        request.query["steps"], request.right = "8", False
    name = "image" if wrong != "name" else draw(st.sampled_from(["photo", "file", "Image", "image[]", "", "é", "mask"]))
    request.right &= name == "image"
    _fill(request, draw, way, name, sent, inside, twice=wrong == "two")
    if wrong == "type":
        kind = draw(st.sampled_from(TYPES))
        request.headers = {} if kind is None else {"Content-Type": kind}
        request.right = way == "raw" and not (kind or "").startswith("multipart/form-data")
    _encode(request, draw, broken=wrong == "encoding")
    return request


def _fill(
    request: RandomRequest, draw: st.DrawFn, way: str, name: str, sent: bytes, inside: dict[str, str], *, twice: bool
) -> None:
    if way == "multipart":
        kinds = ["", '; filename="a.png"', '; filename=""', "\r\nContent-Type: image/png",
                 "; filename*=UTF-8''%c3%a9.png", '; filename="a"\r\nContent-Type: text/plain']  # fmt: skip
        more = draw(st.sampled_from(kinds))
        parts = [(key, value.encode(), "") for key, value in inside.items()]
        parts.insert(draw(st.integers(0, len(parts))), (name, sent, more))
        request.content = form(parts + [(name, sent, more)] * twice)
        request.headers["Content-Type"] = draw(
            st.sampled_from(["multipart/form-data; boundary=b", 'Multipart/Form-Data; charset=utf-8; boundary="b"'])
        )
        request.right &= not twice
    elif way == "raw":
        request.content = sent
        request.headers["Content-Type"] = draw(st.sampled_from(["image/png", "image/jpeg", "application/octet-stream"]))
    else:
        text = base64.b64encode(sent).decode()
        text = draw(st.sampled_from([text, f"data:image/png;base64,{text}", text.rstrip("="), f"{text}\n"]))
        if way == "json":
            document = httpx.Request("POST", "http://x", json={name: text, **inside})
            request.content, request.headers["Content-Type"] = document.content, "application/json"
        else:
            request.content = urlencode([(name, text), *inside.items(), *[(name, text)] * twice]).encode()
            request.headers["Content-Type"] = "application/x-www-form-urlencoded"
            request.right &= not twice


def _encode(request: RandomRequest, draw: st.DrawFn, *, broken: bool) -> None:
    encoding = draw(st.sampled_from(["", "", "gzip", "deflate", "identity", "GZIP, deflate"]))
    if broken:
        encodings = ["br", "zstd", "gzip", "deflate", "gzip, gzip", "x" * 99]
        request.headers["Content-Encoding"] = draw(st.sampled_from(encodings))
        request.right = False
        return
    for name in filter(None, map(str.strip, encoding.lower().split(","))):
        request.content = {"gzip": gzip.compress, "deflate": zlib.compress}.get(name, bytes)(request.content)
    if encoding:
        request.headers["Content-Encoding"] = encoding
    if draw(st.integers(0, 9)) == 0:
        length = draw(st.integers(0, max(0, len(request.content) - 1)))
        request.content, request.right = request.content[:length], False


def check(live: Live, request: RandomRequest, documented: dict[str, set[int]]) -> None:
    """The status is documented, an error names a next step, and a right request gets the right response."""
    answer = live.client.post(request.route, params=request.query, content=request.content, headers=request.headers)
    assert answer.status_code in documented[request.route], answer.text
    if request.right:
        assert answer.status_code == 200, answer.text
    if answer.status_code == 200:
        if request.route == "/classify" and request.right:
            assert answer.json() == plain(live, request.picture)
        return
    problem = answer.json()
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert (
        set(problem) == {"type", "title", "status", "detail", "request_id"} and problem["status"] == answer.status_code
    )
    assert NEXT_STEP.search(problem["detail"]), problem["detail"]


answers: dict[tuple[str, bytes], Any] = {}


def plain(live: Live, picture: bytes) -> Any:
    """The response to an ordinary upload of the picture."""
    if (live.url, picture) not in answers:
        answer = live.client.post("/classify?top=2", files={"image": ("a", picture)})
        answers[live.url, picture] = answer.json()
    return answers[live.url, picture]


@pytest.fixture(scope="module")
def documented(live: Live) -> dict[str, set[int]]:
    """The statuses that the OpenAPI document names for each operation."""
    paths = live.client.get("/openapi.json").json()["paths"]
    return {route: {int(status) for status in paths[route]["post"]["responses"]} for route in OPTIONS}


SHARED = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]


@settings(max_examples=40, suppress_health_check=SHARED)
@given(requests())
def test_a_random_request_gets_the_right_response_or_error(
    live: Live, documented: dict[str, set[int]], random_request: RandomRequest
) -> None:
    check(live, random_request, documented)


@pytest.mark.slow
@settings(max_examples=600, suppress_health_check=SHARED)
@given(requests())
def test_many_random_requests_get_the_right_response_or_error(
    live: Live, documented: dict[str, set[int]], random_request: RandomRequest
) -> None:
    check(live, random_request, documented)


@pytest.mark.parametrize("text", ["steps: Input should be greater than 1", "it failed", "image: Field required"])
def test_an_error_without_a_next_step_is_recognised(text: str) -> None:
    """These texts only say what is wrong, so the check of the tests above must refuse them."""
    assert not NEXT_STEP.search(text)

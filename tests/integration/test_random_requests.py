"""Requests to the operations that take a picture, made at random: right answers, or problems that say what to do."""

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
"""Those that are always given, so that a request is quick."""
WRONG = {"topp": "1", "top": "0", "model": "lost", "steps": "many", "format": "bmp", "layer": "none", "seed": "é\x00"}
JUNK = (b"", b"GIF89", b"%PDF-1.7", b"<html></html>", b"https://example.com/cat.jpg", b"cat.jpg", b"\x00\xff" * 40,
        b"{}", b"data:image/png;base64,", b"b'\\x89PNG'")  # fmt: skip
TYPES = ("image/png", "IMAGE/JPEG", "image/*", "image/svg+xml", "application/octet-stream", "text/plain", "text/html",
         "application/x-www-form-urlencoded", "application/json", "application/vnd.api+json", "application/pdf",
         "multipart/mixed; boundary=b", "multipart/form-data", "multipart/form-data; boundary=other", "nonsense", ";",
         "image/png; charset=latin-1", None)  # fmt: skip
NEXT_STEP = re.compile(
    r"\b(send|give|choose|ask|leave .* out|call it|compress|use|download|convert|export|crop|save|raise|draw"
    r"|decode|unpack|GET /\w+|one of|near are)\b|-F \w+=@",
    re.IGNORECASE,
)
"""What a person is told to do, or an example of it."""


@dataclass
class Asked:
    """A request, and whether the service has to take it."""

    route: str
    content: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    query: dict[str, str] = field(default_factory=dict)
    picture: bytes = b""
    right: bool = True


def form(parts: list[tuple[str, bytes, str]]) -> bytes:
    """Multipart: each part with its name, its data and further parameters or headers."""
    made = [
        f'--b\r\nContent-Disposition: form-data; name="{name}"{more}\r\n\r\n'.encode() + data + b"\r\n"
        for name, data, more in parts
    ]
    return b"".join(made) + b"--b--\r\n"


@st.composite
def requests(draw: st.DrawFn) -> Asked:
    """A right request in any of its forms, and then perhaps something wrong with it."""
    route = draw(st.sampled_from(list(OPTIONS)))
    asked = Asked(route, picture=draw(st.sampled_from(PICTURES)))
    sent = asked.picture
    wrong = draw(st.sampled_from(["", "", "junk", "cut", "option", "two", "name", "type", "encoding", "contradiction"]))
    if wrong == "junk":
        sent, asked.right = draw(st.sampled_from(JUNK)), False
    elif wrong == "cut":
        sent, asked.right = sent[: draw(st.integers(0, len(sent) * 3 // 4))], False
    options = dict(OPTIONS[route])
    if wrong == "option":
        name = draw(st.sampled_from(list(WRONG)))
        options[name], asked.right = WRONG[name], False
    places = {name: draw(st.sampled_from(["query", "body", "both"])) for name in options}
    way = draw(st.sampled_from(["multipart", "raw", "json", "urlencoded"]))
    asked.query = {name: value for name, value in options.items() if way == "raw" or places[name] != "body"}
    inside = {name: value for name, value in options.items() if way != "raw" and places[name] != "query"}
    if wrong == "contradiction" and asked.query:
        inside |= {"steps": "7"} if way != "raw" else {}
        asked.query["steps"], asked.right = "8", False
    name = "image" if wrong != "name" else draw(st.sampled_from(["photo", "file", "Image", "image[]", "", "é", "mask"]))
    asked.right &= name == "image"
    _fill(asked, draw, way, name, sent, inside, twice=wrong == "two")
    if wrong == "type":
        kind = draw(st.sampled_from(TYPES))
        asked.headers = {} if kind is None else {"Content-Type": kind}
        asked.right = way == "raw" and not (kind or "").startswith("multipart/form-data")
    _encode(asked, draw, broken=wrong == "encoding")
    return asked


def _fill(
    asked: Asked, draw: st.DrawFn, way: str, name: str, sent: bytes, inside: dict[str, str], *, twice: bool
) -> None:
    if way == "multipart":
        kinds = ["", '; filename="a.png"', '; filename=""', "\r\nContent-Type: image/png",
                 "; filename*=UTF-8''%c3%a9.png", '; filename="a"\r\nContent-Type: text/plain']  # fmt: skip
        more = draw(st.sampled_from(kinds))
        parts = [(key, value.encode(), "") for key, value in inside.items()]
        parts.insert(draw(st.integers(0, len(parts))), (name, sent, more))
        asked.content = form(parts + [(name, sent, more)] * twice)
        asked.headers["Content-Type"] = draw(
            st.sampled_from(["multipart/form-data; boundary=b", 'Multipart/Form-Data; charset=utf-8; boundary="b"'])
        )
        asked.right &= not twice
    elif way == "raw":
        asked.content = sent
        asked.headers["Content-Type"] = draw(st.sampled_from(["image/png", "image/jpeg", "application/octet-stream"]))
    else:
        text = base64.b64encode(sent).decode()
        text = draw(st.sampled_from([text, f"data:image/png;base64,{text}", text.rstrip("="), f"{text}\n"]))
        if way == "json":
            request = httpx.Request("POST", "http://x", json={name: text, **inside})
            asked.content, asked.headers["Content-Type"] = request.content, "application/json"
        else:
            asked.content = urlencode([(name, text), *inside.items(), *[(name, text)] * twice]).encode()
            asked.headers["Content-Type"] = "application/x-www-form-urlencoded"
            asked.right &= not twice


def _encode(asked: Asked, draw: st.DrawFn, *, broken: bool) -> None:
    encoding = draw(st.sampled_from(["", "", "gzip", "deflate", "identity", "GZIP, deflate"]))
    if broken:
        encodings = ["br", "zstd", "gzip", "deflate", "gzip, gzip", "x" * 99]
        asked.headers["Content-Encoding"] = draw(st.sampled_from(encodings))
        asked.right = False
        return
    for each in filter(None, map(str.strip, encoding.lower().split(","))):
        asked.content = {"gzip": gzip.compress, "deflate": zlib.compress}.get(each, bytes)(asked.content)
    if encoding:
        asked.headers["Content-Encoding"] = encoding
    if draw(st.integers(0, 9)) == 0:
        length = draw(st.integers(0, max(0, len(asked.content) - 1)))
        asked.content, asked.right = asked.content[:length], False


def check(live: Live, asked: Asked, documented: dict[str, set[int]]) -> None:
    """Only documented statuses; of failures a next step, and of what is right the right answer."""
    answer = live.client.post(asked.route, params=asked.query, content=asked.content, headers=asked.headers)
    assert answer.status_code in documented[asked.route], answer.text
    if asked.right:
        assert answer.status_code == 200, answer.text
    if answer.status_code == 200:
        if asked.route == "/classify" and asked.right:
            assert answer.json() == plain(live, asked.picture)
        return
    told = answer.json()
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert set(told) == {"type", "title", "status", "detail", "request_id"} and told["status"] == answer.status_code
    assert NEXT_STEP.search(told["detail"]), told["detail"]


answers: dict[tuple[str, bytes], Any] = {}


def plain(live: Live, picture: bytes) -> Any:
    """What an ordinary upload is answered."""
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
def test_any_request(live: Live, documented: dict[str, set[int]], asked: Asked) -> None:
    check(live, asked, documented)


@pytest.mark.slow
@settings(max_examples=600, suppress_health_check=SHARED)
@given(requests())
def test_many_requests(live: Live, documented: dict[str, set[int]], asked: Asked) -> None:
    check(live, asked, documented)


@pytest.mark.parametrize("text", ["steps: Input should be greater than 1", "it failed", "image: Field required"])
def test_the_check_itself(text: str) -> None:
    """A text that only says what is wrong is not enough."""
    assert not NEXT_STEP.search(text)

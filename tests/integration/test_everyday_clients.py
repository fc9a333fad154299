"""Requests that are nearly right: they are accepted if their meaning is certain, and refused with the reason if not."""

import base64
import gzip
import json
import re
from typing import Any

from models.pictures import encode
from tests.app.classify_requests import raw, refusal
from tests.app.live_service import Live, drawn

FORM = "multipart/form-data; boundary=b"
URLENCODED = "application/x-www-form-urlencoded"
DISPOSITION = 'Content-Disposition: form-data; name="{}"'


def part(data: bytes, headers: str = DISPOSITION.format("image") + '; filename="a.png"', end: str = "\r\n") -> bytes:
    """One part of a form with the boundary b."""
    return f"--b{end}{headers}{end}{end}".encode() + data + end.encode()


def unambiguous_requests(picture: bytes) -> dict[str, dict[str, Any]]:
    """Requests with only one possible meaning, to be sent with `top=2` in the query."""
    text = base64.b64encode(picture).decode()
    document = json.dumps({"image": text})
    lines = base64.encodebytes(picture).decode()
    greeting = b"This is a message in MIME format.\r\n--a line like a boundary\r\n"
    assert "+" in text and len(text) > 200
    return {
        "fetch, a string of JSON": raw(document.encode(), "text/plain;charset=UTF-8"),
        "curl -d, a string of JSON": raw(document.encode(), URLENCODED),
        "JSON without a type": raw(b"\n " + document.encode(), None),
        "a shell's lines in JSON": raw(f'{{"image": "{lines}"}}'.encode(), "application/json"),
        "a shell's lines as words": {"json": {"image": lines.strip().replace("\n", " ")}},
        "a form without %2B": raw(f"image={text}".encode(), URLENCODED),
        "a data URL in a form without %2B": raw(f"image=data:image/png;base64,{text}".encode(), URLENCODED),
        "base64 as text": raw(text.encode(), "text/plain"),
        "base64 without a type": raw(lines.encode(), None),
        "curl -d, base64": raw(text.encode(), URLENCODED),
        "a data URL as text": raw(f"data:image/png;base64,{text}".encode(), "text/plain"),
        "a preamble": raw(greeting + part(picture) + b"--b--\r\n", FORM),
        "an epilogue": raw(part(picture) + b"--b--\r\nThank you", FORM),
    }


def test_a_request_with_only_one_meaning_is_accepted(live: Live, picture: bytes) -> None:
    expected = live.client.post("/classify", params={"top": 2}, files={"image": picture}).json()
    assert len(expected["predictions"]) == 2
    for name, request in unambiguous_requests(picture).items():
        answer = live.client.post("/classify", params={"top": 2}, **request)
        assert answer.status_code == 200, (name, answer.text)
        assert answer.json() == expected, name


def test_no_plus_sign_is_lost_from_a_jpeg(live: Live) -> None:
    """A decoder could read the rest of a damaged JPEG, and the response would be for another picture."""
    picture = next(
        jpeg for seed in range(99) if b"+" in base64.b64encode(jpeg := encode(drawn(96, 96, seed), format="jpeg"))
    )
    expected = live.client.post("/classify", files={"image": picture}).json()
    for kind in (URLENCODED, "application/json"):
        text = base64.b64encode(picture).decode()
        document = {"image": text.replace("+", " ")}
        body = f"image={text}" if kind == URLENCODED else json.dumps(document)
        assert live.client.post("/classify", **raw(body.encode(), kind)).json() == expected


def test_numbers_in_json_are_accepted(live: Live, picture: bytes) -> None:
    text = base64.b64encode(picture).decode()
    answer = live.client.post("/explain", json={"image": text, "target": 1, "format": "json"})
    assert answer.status_code == 200 and answer.json()["target"]["label"] == "dog"
    answer = live.client.post("/features", json={"image": text, "layer": "features.3", "channels": 2, "format": "json"})
    assert answer.status_code == 200 and len(answer.json()["shown"]) == 2


def test_the_charset_of_a_part_is_used(live: Live, picture: bytes) -> None:
    """The error names the unknown class in Cyrillic letters, as it was sent in windows-1251."""
    target = DISPOSITION.format("target") + "\r\nContent-Type: text/plain; charset=windows-1251"
    body = part("кот".encode("cp1251"), target) + part(picture) + b"--b--\r\n"
    answer = live.client.post("/explain", **raw(body, FORM))
    assert answer.status_code == 404 and "'кот'" in answer.json()["detail"]


def refused_requests(picture: bytes) -> list[tuple[int, dict[str, Any], str]]:
    """The status, the request and a part of the detail of its error."""
    text = base64.b64encode(picture).decode()
    form = part(picture) + b"--b--\r\n"
    several = (
        b'--i\r\nContent-Disposition: file; filename="a.png"\r\n\r\n'
        + picture
        + b'\r\n--i\r\nContent-Disposition: file; filename="b.png"\r\n\r\n'
        + picture
        + b"\r\n--i--"
    )
    mixed = DISPOSITION.format("image") + "\r\nContent-Type: multipart/mixed; boundary=i"
    jpeg = re.sub(rb"[\r\n]", b"", encode(drawn(200, 200, 1), format="jpeg"))
    twice = f'{{"image": "{text}", "top": 1, "top": 2}}'
    two = f'{{"image": "{text}", "image": "{text}"}}'
    return [
        (422, raw(two.encode(), "application/json"), "image: the JSON object has this field 2 times: send it once"),
        (422, raw(twice.encode(), "application/json"), "top: the JSON object has this field 2 times"),
        (422, {"json": {"image": {"b64": text}}}, "image: the value is an object, not a string"),
        (422, {"json": {"image": [text, text]}}, "image: the value is an array, not a string"),
        (422, {"json": text}, "the JSON of the body is a string, not an object"),
        (422, raw(b"null", "application/json"), "the JSON of the body is null, not an object"),
        (422, {"json": {"image": picture.hex()}}, "the bytes are in hexadecimal (89504e470d0a1a0a...)"),
        (422, raw(jpeg, URLENCODED), "because curl -d removes them: send the whole file with curl --data"),
        (422, raw(part(several, mixed) + b"--b--\r\n", FORM), "the field holds several files (multipart/mixed)"),
        (400, raw(form, "image/png"), "the body is a form with the Content-Type 'image/png': let the client write"),
        (400, raw(form, "application/json"), "the body is a form with the Content-Type 'application/json'"),
        (400, raw(form, None), "the body is a form without a Content-Type"),
        (400, raw(form, FORM + "zz"), "are separated by 'b', but its Content-Type names the boundary 'bzz'"),
        (400, raw(part(picture, end="\n") + b"--b--\n", FORM), "lines of the form end with LF, not with CRLF"),
        (400, raw(part(picture, DISPOSITION.format("image").replace("; ", ";\r\n ")), FORM), "header lines of a part"),
        (400, raw(picture, FORM), "the body is a picture, but its Content-Type is multipart/form-data: send it with"),
        (400, raw(b"", FORM), "the form is empty (0 bytes)"),
        (400, raw(gzip.compress(picture) + b"\n", **{"Content-Encoding": "gzip"}), "after the end of its gzip data"),
    ]  # fmt: skip


def test_an_error_says_what_the_client_sent(live: Live, picture: bytes) -> None:
    for status, request, message in refused_requests(picture):
        detail = str(refusal(live, status, **request)["detail"])
        assert message in detail, detail


def test_a_long_text_of_blanks_is_refused_quickly(live: Live) -> None:
    """Work that grows with the square of the length would take days."""
    for blanks, status in ((" " * 5_000_000, 415), (" \n" * 2_500_000, 422), ("A" * 75 + " " * 5_000_000, 422)):
        refusal(live, status, json={"image": f"x{blanks}x"})

"""Tests every way in which clients send the picture and the options of a request."""

import base64
import gzip
import json
import zlib
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest

from app.web.uploads.bodies import URLENCODED
from tests.app.classify_requests import raw, refusal
from tests.app.live_service import Live

ROUTES = {
    "/classify": {"top": "2"},
    "/adversarial": {"attack": "fgsm", "epsilon": "8/255", "format": "json"},
    "/adversarial/curve": {"norms": "l2", "steps": "2", "format": "json"},
    "/adversarial/targets": {"top": "2", "candidates": "2"},
    "/features": {"layer": "features.3", "channels": "2", "format": "json"},
    "/explain": {"target": "dog", "format": "json"},
}
"""Every operation that takes a picture, with options for a short run."""


def unnamed_part(picture: bytes, name: str = "image") -> dict[str, Any]:
    """Return the request of `curl -F "image=<cat.png;type=image/png"`, whose part has no file name."""
    body = (
        f'--b\r\nContent-Disposition: form-data; name="{name}"\r\nContent-Type: image/png\r\n\r\n'.encode()
        + picture
        + b"\r\n--b--\r\n"
    )
    return {"content": body, "headers": {"Content-Type": "multipart/form-data; boundary=b"}}


def picture_requests(picture: bytes) -> dict[str, dict[str, Any]]:
    """Return requests that send the picture in different ways."""
    text = base64.b64encode(picture).decode()
    wrapped = base64.encodebytes(picture).decode()
    bare = zlib.compressobj(wbits=-15)
    return {
        "unnamed part": unnamed_part(picture),
        "part of text in base64": {"files": {"image": (None, text)}},
        "raw": raw(picture),
        "octet stream": raw(picture, "application/octet-stream"),
        "capitals and charset": raw(picture, "IMAGE/PNG; charset=utf-8"),
        "the wrong image type": raw(picture, "image/jpeg"),
        "curl's own type": raw(picture, "application/x-www-form-urlencoded"),
        "text": raw(picture, "text/plain"),
        "no type": raw(picture, None),
        "gzip": raw(gzip.compress(picture), "image/png", **{"Content-Encoding": "gzip"}),
        "two gzip members": raw(
            gzip.compress(picture[:999]) + gzip.compress(picture[999:]), **{"Content-Encoding": "x-gzip"}
        ),
        "deflate": raw(zlib.compress(picture), **{"Content-Encoding": "Deflate"}),
        "deflate without header": raw(bare.compress(picture) + bare.flush(), **{"Content-Encoding": "deflate"}),
        "gzip in gzip": raw(gzip.compress(gzip.compress(picture)), **{"Content-Encoding": "gzip, gzip"}),
        "JSON": {"json": {"image": text}},
        "JSON, data URL": {"json": {"image": "data:image/png;base64," + text}},
        "JSON, lines": {"json": {"image": wrapped}},
        "JSON, URL-safe and unpadded": {"json": {"image": base64.urlsafe_b64encode(picture).decode().rstrip("=")}},
        "a form's text": {"data": {"image": text}},
        "a form's bytes": raw(urlencode({"image": picture}).encode(), "application/x-www-form-urlencoded"),
    }


def test_every_way_of_sending_gives_the_same_result(live: Live, picture: bytes) -> None:
    expected = live.client.post("/classify", params={"top": 2}, files={"image": picture}).json()
    assert len(expected["predictions"]) == 2
    for name, request in picture_requests(picture).items():
        answer = live.client.post("/classify", params={"top": 2}, **request)
        assert answer.status_code == 200, (name, answer.text)
        assert answer.json() == expected, name


@pytest.mark.parametrize("route", ROUTES)
def test_every_operation_takes_every_way_of_sending(live: Live, picture: bytes, route: str) -> None:
    """Options in the form, in the query (beside a form and a raw body) and in JSON give the same result."""
    options = ROUTES[route]
    text = base64.b64encode(picture).decode()
    requests: list[dict[str, Any]] = [
        {"files": {"image": picture}, "data": options},
        {"params": options, **unnamed_part(picture)},
        {"params": options, **raw(picture)},
        {"json": {"image": text, **options}},
    ]
    answers = []
    for request in requests:
        answer = live.client.post(route, **request)
        assert answer.status_code == 200, answer.text
        answers.append({name: value for name, value in answer.json().items() if name != "seconds"})
    assert answers[1:] == answers[:1] * 3


def test_json_options_may_be_numbers_and_lists(live: Live, picture: bytes) -> None:
    text = base64.b64encode(picture).decode()
    answer = live.client.post(
        "/adversarial/curve?steps=2&format=json", json={"image": text, "norms": ["l2"], "steps": 2}
    )
    assert answer.status_code == 200 and list(answer.json()["smallest"]) == ["l2"]
    answer = live.client.post("/adversarial/curve?steps=3", json={"image": text, "steps": 2})
    assert (
        answer.status_code == 422
        and "steps: the request has two values of this option, '3' and '2'" in answer.json()["detail"]
    )


def test_a_mask_may_be_sent_in_json(live: Live, picture: bytes) -> None:
    """A damaged mask is refused by name; an empty field counts as no mask."""
    text = base64.b64encode(picture).decode()
    options = {"attack": "fgsm", "epsilon": "8/255", "format": "json"}
    assert live.client.post("/adversarial", json={"image": text, "mask": text, **options}).status_code == 200
    broken = live.client.post("/adversarial", json={"image": text, "mask": text[:2000], **options})
    assert broken.status_code == 422 and broken.json()["detail"].startswith("mask: ")
    empty = live.client.post("/adversarial", files={"image": picture, "mask": ("", b"")}, data=options)
    assert empty.status_code == 200


@pytest.mark.parametrize(
    ("status", "request_", "message"),
    [
        (422, {"files": {"photo": b"x"}}, "if the field 'photo' is the picture, call it image, -F image=@"),
        (422, {"files": {"other": b"x"}, "data": {"image": "text"}}, "-F image=@"),
        (422, {"data": {"image": "cats/cat.jpg"}}, "the text 'cats/cat.jpg', not the bytes of a picture"),
        (422, {"data": {"image": "C:\\cat.jpg"}}, "with curl, the character @ does this"),
        (422, {"data": {"image": "https://example.com/cat.jpg"}}, "fetches nothing from the network"),
        (415, {"files": {"image": b"http://example.com/cat.jpg"}}, "fetches nothing from the network"),
        (415, {"files": {"image": b"<!DOCTYPE html><html></html>"}}, "web page"),
        (415, {"files": {"image": ("a.png", b"")}}, "image: the file is empty (0 bytes): choose"),
        (415, raw(b""), "empty (0 bytes)"),
        (415, {"files": {"image": b"%PDF-1.7"}}, "PDF"),
        (415, raw(b"<svg xmlns='http://www.w3.org/2000/svg'/>", "image/svg+xml"), "SVG"),
        (415, raw(b"hello", "text/plain"), "the body, of type 'text/plain', is not a picture"),
        (415, raw(b"hello", None), "the body, without Content-Type, is not a picture"),
        (422, raw(b"", None), "the request has no picture: send the picture as the form field image"),
        (422, {"json": {}}, 'or in base64 as JSON ({"image": "..."})'),
        (422, {"json": {"inputs": "aGk="}}, "if the field 'inputs' is the picture"),
        (422, {"json": {"image": "aGk="}}, "is not a picture in base64"),
        (422, {"json": {"image": [137, 80]}}, "the value is an array, not a string: send the file in base64"),
        (422, {"json": {"image": "b'\\x89PNG'"}}, "base64.b64encode(data).decode()"),
        (422, {"json": {"image": "data:image/svg+xml,<svg/>"}}, "the data URL is not in base64"),
        (422, {"json": ["aGk="]}, "the JSON of the body is an array, not an object"),
        (400, raw(b'{"image": ', "application/json"), "is not valid JSON"),
        (400, raw(b"[" * 9_000, "application/json"), "is not valid JSON"),
        (422, raw(b"[" * 100_000, "application/json"), "has over 10,000 values"),
        (422, raw(b'{"image": [' + b"0," * 20_000 + b"0]}", "application/json"), "has over 10,000 values"),
        (400, raw(b"{%s}" % b",".join(b'"%d": 0' % n for n in range(101)), "application/json"), "has over 100 fields"),
        (400, raw(b"image=" + b"%41" * 1_000_001, URLENCODED), "1,000,000 escaped bytes"),
        (400, raw(b"image=" + b"a\xe9" * 1_000_001, URLENCODED), "1,000,000 escaped bytes"),
        (422, raw(b'{"image": "%s", "model": "%s"}' % (b"A" * 99, b"a" * 10_001), "application/json"), "10,001 bytes"),
        (422, raw(b'{"image": "A%sA"}' % (b"\\n" * 5_000_000), "application/json"), "not a picture in base64"),
        (400, raw(b"x", "multipart/form-data"), "has no boundary: do not set this header yourself"),
        (400, raw(b"x", "multipart/form-data; boundary=b"), "not a multipart form"),
        (400, raw(b'--b\r\nContent-Disposition: form-data; name="image"\r\n\r\nx', "multipart/form-data; boundary=b"),
         "breaks off before its closing boundary"),
        (400, raw(b"--b\r\nContent-Disposition: form-data\r\n\r\nx\r\n--b--\r\n", "multipart/form-data; boundary=b"),
         "a part of the form has no name"),
        (415, raw(b"x", **{"Content-Encoding": "br"}), "'br' is not supported, only gzip and deflate are"),
        (415, raw(b"x", **{"Content-Encoding": "gzip, gzip, gzip, gzip"}), "(at most 3 of them)"),
        (400, raw(b"no gzip at all", **{"Content-Encoding": "gzip"}), "not valid gzip data, as its"),
        (400, raw(gzip.compress(b"x" * 99)[:-9], **{"Content-Encoding": "gzip"}), "break off before their end"),
    ],
)  # fmt: skip
def test_every_error_says_what_is_wrong_and_what_to_send(live: Live, status: int, request_: Any, message: str) -> None:
    assert message in str(refusal(live, status, **request_)["detail"])


def test_repeated_pictures_and_options_are_refused_if_they_differ(live: Live, picture: bytes) -> None:
    files = [("image", picture), ("image", picture)]
    assert "image: the request has 2 pictures in this field" in str(refusal(live, 422, files=files)["detail"])
    detail = refusal(live, 422, params={"top": 1}, data={"top": "2"}, files={"image": picture})["detail"]
    assert "top: the request has two values of this option, '1' and '2': send only one" in str(detail)
    for request in ({"params": {"top": 1}, "data": {"top": "1"}}, {"params": {"top": ""}, "data": {"top": "1"}}):
        answer = live.client.post("/classify", files={"image": picture}, **request)
        assert answer.status_code == 200 and len(answer.json()["predictions"]) == 1
    assert "image: a picture cannot stand in the query" in str(
        refusal(live, 422, params={"image": "https://example.com"})["detail"]
    )
    assert "top: this option is a text, not a file" in str(
        refusal(live, 422, files={"image": picture, "top": b"1"})["detail"]
    )


def test_unknown_options_are_refused_in_query_form_and_json(live: Live, picture: bytes) -> None:
    assert "topp" in str(refusal(live, 422, params={"topp": 1}, files={"image": picture})["detail"])
    assert "topp" in str(refusal(live, 422, data={"topp": 1}, files={"image": picture})["detail"])
    text = base64.b64encode(picture).decode()
    assert "topp" in str(refusal(live, 422, json={"image": text, "topp": 1})["detail"])
    assert refusal(live, 404, data={"model": "x"}, files={"image": picture})["type"] == "urn:mirage:problem:not-served"


def test_empty_options_count_as_absent(live: Live, picture: bytes) -> None:
    assert live.client.post("/classify?model=&top=", files={"image": picture}).status_code == 200


def test_a_text_that_is_not_valid_in_its_charset_is_refused(live: Live) -> None:
    headers = {"Content-Type": "multipart/form-data; boundary=x; charset=utf-16"}
    body = b'--x\r\nContent-Disposition: form-data; name="\xff"\r\n\r\n1\r\n--x--\r\n'
    assert "charset" in str(refusal(live, 400, content=body, headers=headers)["detail"])


def test_options_are_decoded_with_the_charset_of_the_form(live: Live, picture: bytes) -> None:
    """The text of a Latin-1 form is decoded as Latin-1, so the message names the unknown class correctly."""
    headers = {"Content-Type": "multipart/form-data; boundary=b; charset=iso-8859-1"}
    body = (
        b'--b\r\nContent-Disposition: form-data; name="target"\r\n\r\n\xe9t\xe9\r\n'
        b'--b\r\nContent-Disposition: form-data; name="image"; filename="a"\r\n\r\n' + picture + b"\r\n--b--\r\n"
    )
    answer = live.client.post("/explain", content=body, headers=headers)
    assert answer.status_code == 404 and "'été'" in answer.json()["detail"]


def test_a_decompression_bomb_is_stopped_at_the_limit(live: Live) -> None:
    """40 MB of zeros are compressed to less than 100 kB, once or twice."""
    bomb = gzip.compress(bytes(40_000_000))
    for body, encoding in (
        (bomb, "gzip"),
        (gzip.compress(bomb), "gzip, gzip"),
        (zlib.compress(bytes(40_000_000)), "deflate"),
    ):
        request = raw(body, **{"Content-Encoding": encoding})
        assert len(body) < 100_000 and "MIRAGE_MAX_BYTES" in str(refusal(live, 413, **request)["detail"])


def test_a_body_may_be_split_anywhere(live: Live, picture: bytes) -> None:
    """The first 300 bytes are sent as single chunks, for a form, for gzip and for deflate."""
    expected = live.client.post("/classify", files={"image": picture}).json()
    small = httpx.Request("POST", "http://x", files={"image": picture})
    form = {"content": small.read(), "headers": {"Content-Type": small.headers["Content-Type"]}}
    packed = raw(gzip.compress(picture), **{"Content-Encoding": "gzip"})
    deflated = raw(zlib.compress(picture), **{"Content-Encoding": "deflate"})
    for request in (form, packed, deflated):
        body = request["content"]
        pieces = (bytes([byte]) for byte in body[:300])

        def split(pieces: Any = pieces, rest: bytes = body[300:]) -> Any:
            yield from pieces
            yield rest

        answer = live.client.post("/classify", content=split(), headers=request["headers"])
        assert answer.json() == expected


def test_the_openapi_document_describes_every_way_of_sending(live: Live) -> None:
    """It has forms, raw bodies and JSON, and every option as a query parameter without a default."""
    document = live.client.get("/openapi.json").json()
    for route in ROUTES:
        operation = document["paths"][route]["post"]
        content = operation["requestBody"]["content"]
        assert {
            "multipart/form-data",
            "image/png",
            "image/jpeg",
            "application/octet-stream",
            "application/json",
        } <= set(content)
        form = document["components"]["schemas"][content["multipart/form-data"]["schema"]["$ref"].split("/")[-1]]
        query = {parameter["name"]: parameter for parameter in operation["parameters"] if parameter["in"] == "query"}
        assert set(query) == set(form["properties"]) - {"image", "mask"}
        assert all("default" not in entry["schema"] and "example" not in entry for entry in query.values())
        assert form["properties"]["image"]["format"] == "binary"
        assert {"400", "413", "415", "422"} <= set(operation["responses"])
    ids = [operation["operationId"] for path in document["paths"].values() for operation in path.values()]
    assert len(set(ids)) == len(ids)


def test_the_json_examples_of_the_openapi_document_succeed(live: Live) -> None:
    document = live.client.get("/openapi.json").json()
    for route in ("/classify", "/features"):
        example = document["paths"][route]["post"]["requestBody"]["content"]["application/json"]["example"]
        answer = live.client.post(route, content=json.dumps(example), headers={"Content-Type": "application/json"})
        assert answer.status_code == 200, answer.text

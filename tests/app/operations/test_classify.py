"""POST /classify over HTTP."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from models import store
from models.pictures import decode, encode
from models.preprocessing import to_float
from tests.app.classify_requests import refusal
from tests.app.live_service import Live, drawn


def test_the_answer_is_the_models(live: Live, picture: bytes) -> None:
    """Multipart and raw body give what the checkpoint gives when it is asked directly."""
    model = store.load("tiny", folder=live.service.settings.checkpoints)
    expected = model.classifier.probabilities(to_float(decode(picture)).unsqueeze(0))[0]
    body = live.client.post("/classify", files={"image": picture}).json()
    assert (body["model"], body["width"], body["height"]) == ("tiny", 128, 96)
    assert [prediction["label"] for prediction in body["predictions"]] == [
        model.spec.classes[index] for index in expected.argsort(descending=True)
    ]
    for prediction in body["predictions"]:
        assert prediction["probability"] == pytest.approx(expected[prediction["index"]].item(), abs=1e-5)
    from_raw_body = live.client.post("/classify", content=picture, headers={"Content-Type": "image/png"})
    assert from_raw_body.json() == body


def test_top_limits_the_list(live: Live, picture: bytes) -> None:
    for top, length in ((1, 1), (3, 3), (9, 4)):
        body = live.client.post("/classify", params={"top": top}, files={"image": picture}).json()
        assert len(body["predictions"]) == length
    assert "top" in refusal(live, 422, params={"top": 0}, files={"image": picture})["detail"]


def test_bytes_that_are_no_picture(live: Live) -> None:
    for junk in (b"", b"GIF89", b"%PDF-1.7", b"<svg xmlns='http://www.w3.org/2000/svg'/>"):
        assert "send" in str(refusal(live, 415, files={"image": ("cat.jpg", junk)})["detail"]), junk


def test_half_a_picture(live: Live) -> None:
    buffer = io.BytesIO()
    Image.fromarray(drawn().permute(1, 2, 0).numpy()).save(buffer, "JPEG")
    whole = buffer.getvalue()
    assert "cannot be decoded" in refusal(live, 422, files={"image": whole[: len(whole) // 2]})["detail"]


def test_a_bomb_is_judged_by_its_header(live: Live) -> None:
    """20,000 x 20,000 pixels in one kilobyte: refused before any of them is decoded."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 20_000, 20_000, 1, 0, 0, 0, 0)
    bomb = (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(bytes(900_000)))
        + chunk(b"IEND", b"")
    )
    assert len(bomb) < 1100
    assert "send a smaller one" in refusal(live, 413, files={"image": bomb})["detail"]


def test_a_thread_of_pixels(live: Live) -> None:
    buffer = io.BytesIO()
    Image.new("L", (5000, 2)).save(buffer, "PNG")
    assert "too narrow" in refusal(live, 422, files={"image": buffer.getvalue()})["detail"]


def test_a_jpeg_of_a_thousand_scans_is_refused(live: Live) -> None:
    """Each scan is a pass over the whole picture, at the price of a few bytes."""
    buffer = io.BytesIO()
    Image.fromarray(drawn().permute(1, 2, 0).numpy()).save(buffer, "JPEG", progressive=True)
    plain = buffer.getvalue()
    assert live.client.post("/classify", files={"image": plain}).status_code == 200
    start = plain.rindex(b"\xff\xda")
    many = plain[:start] + plain[start:-2] * 200 + plain[-2:]
    assert "scans" in refusal(live, 422, files={"image": many})["detail"]


def test_unknown_model_with_near_matches(live: Live, picture: bytes) -> None:
    body = refusal(live, 404, params={"model": "tinny"}, files={"image": picture})
    assert "similar names: tiny" in body["detail"]
    assert body["type"] == "urn:mirage:problem:not-served"


def test_every_format_and_mode(live: Live) -> None:
    """One picture as grey, palette, alpha, 16 bit and CMYK, in all formats: all are understood."""
    image = Image.fromarray(drawn().permute(1, 2, 0).numpy())
    for format, mode in [("PNG", "L"), ("PNG", "P"), ("PNG", "RGBA"), ("PNG", "I;16"), ("JPEG", "CMYK"), ("GIF", "P"),
                         ("WEBP", "RGB"), ("BMP", "RGB"), ("TIFF", "RGB")]:  # fmt: skip
        buffer = io.BytesIO()
        grey = np.asarray(image.convert("L")).astype(np.uint16) * 257
        (Image.fromarray(grey) if mode == "I;16" else image.convert(mode)).save(buffer, format)
        answer = live.client.post("/classify", files={"image": buffer.getvalue()})
        assert (answer.status_code, answer.json()["width"]) == (200, 128), (format, mode)


def test_encode_is_exact(picture: bytes) -> None:
    """The fixture itself: what is posted is what was drawn."""
    assert (decode(picture) == drawn()).all() and encode(drawn()) == picture

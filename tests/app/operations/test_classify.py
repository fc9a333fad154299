"""Tests POST /classify over HTTP."""

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


def test_predictions_are_those_of_the_model(live: Live, picture: bytes) -> None:
    """A multipart form and a raw body both give the probabilities of the checkpoint, loaded directly."""
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


def test_bytes_that_are_no_picture_are_refused(live: Live) -> None:
    for junk in (b"", b"GIF89", b"%PDF-1.7", b"<svg xmlns='http://www.w3.org/2000/svg'/>"):
        assert "send" in str(refusal(live, 415, files={"image": ("cat.jpg", junk)})["detail"]), junk


def test_a_truncated_picture_is_refused(live: Live) -> None:
    buffer = io.BytesIO()
    Image.fromarray(drawn().permute(1, 2, 0).numpy()).save(buffer, "JPEG")
    whole = buffer.getvalue()
    assert "cannot be decoded" in refusal(live, 422, files={"image": whole[: len(whole) // 2]})["detail"]


def test_a_decompression_bomb_is_refused_by_its_header(live: Live) -> None:
    """A file of 1 kB claims 20,000 x 20,000 pixels and is refused before any of them is decoded."""

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


def test_a_very_narrow_picture_is_refused(live: Live) -> None:
    buffer = io.BytesIO()
    Image.new("L", (5000, 2)).save(buffer, "PNG")
    assert "too narrow" in refusal(live, 422, files={"image": buffer.getvalue()})["detail"]


def test_a_jpeg_of_a_thousand_scans_is_refused(live: Live) -> None:
    """Every scan takes only a few bytes but makes the decoder pass over the whole picture again."""
    buffer = io.BytesIO()
    Image.fromarray(drawn().permute(1, 2, 0).numpy()).save(buffer, "JPEG", progressive=True)
    plain = buffer.getvalue()
    assert live.client.post("/classify", files={"image": plain}).status_code == 200
    start = plain.rindex(b"\xff\xda")
    with_many_scans = plain[:start] + plain[start:-2] * 200 + plain[-2:]
    assert "scans" in refusal(live, 422, files={"image": with_many_scans})["detail"]


def test_an_unknown_model_is_refused_with_similar_names(live: Live, picture: bytes) -> None:
    body = refusal(live, 404, params={"model": "tinny"}, files={"image": picture})
    assert "similar names: tiny" in body["detail"]
    assert body["type"] == "urn:mirage:problem:not-served"


def test_every_format_and_mode_is_decoded(live: Live) -> None:
    """One picture is sent as grey, palette, with alpha, as 16 bits and as CMYK, in several formats."""
    image = Image.fromarray(drawn().permute(1, 2, 0).numpy())
    for format, mode in [("PNG", "L"), ("PNG", "P"), ("PNG", "RGBA"), ("PNG", "I;16"), ("JPEG", "CMYK"), ("GIF", "P"),
                         ("WEBP", "RGB"), ("BMP", "RGB"), ("TIFF", "RGB")]:  # fmt: skip
        buffer = io.BytesIO()
        grey = np.asarray(image.convert("L")).astype(np.uint16) * 257
        (Image.fromarray(grey) if mode == "I;16" else image.convert(mode)).save(buffer, format)
        response = live.client.post("/classify", files={"image": buffer.getvalue()})
        assert (response.status_code, response.json()["width"]) == (200, 128), (format, mode)


def test_the_picture_fixture_is_lossless(picture: bytes) -> None:
    """Decoding the fixture `picture` gives the drawn pixels, so the other tests know what they send."""
    assert (decode(picture) == drawn()).all() and encode(drawn()) == picture

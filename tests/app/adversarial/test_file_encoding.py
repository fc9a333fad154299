"""Tests the file formats of the picture that POST /adversarial returns."""

import pytest
import torch

from models.pictures import decode, encode
from tests.app.live_service import Live
from tests.app.picture_requests import classify


def test_webp_has_the_same_pixels_as_png(live: Live, picture: bytes) -> None:
    first, second = (
        live.client.post("/adversarial", files={"image": picture}, data={"format": format, "steps": "3"}).content
        for format in ("png", "webp")
    )
    assert (decode(first) == decode(second)).all()


def test_the_headers_of_a_jpeg_are_true_of_the_decoded_jpeg(live: Live, picture: bytes) -> None:
    """The attack survives its own compression, at the default quality 95 or at the one of `survive`."""
    for survive in ("", "jpeg:80"):
        data = {"attack": "ddn", "steps": "20", "format": "jpeg", "survive": survive}
        response = live.client.post("/adversarial", files={"image": picture}, data=data)
        assert response.headers["Content-Type"] == "image/jpeg"
        assert response.headers["X-Mirage-Success"] == "true"
        prediction = classify(live, response.content)[0]
        assert prediction["label"] == response.headers["X-Mirage-Label"] != response.headers["X-Mirage-Original-Label"]
        assert prediction["probability"] == pytest.approx(float(response.headers["X-Mirage-Probability"]), abs=2e-4)
        change = (decode(response.content).double() - decode(picture).double()) / 255
        assert float(response.headers["X-Mirage-L2"]) == pytest.approx(change.norm().item(), abs=1e-4)


def test_a_picture_too_large_for_webp_is_refused_before_the_attack(live: Live) -> None:
    """WebP allows at most 16,383 pixels per side; the message suggests PNG."""
    wide = encode(torch.zeros(3, 520, 16_384, dtype=torch.uint8))
    response = live.client.post("/adversarial", files={"image": wide}, data={"format": "webp"})
    assert response.status_code == 413
    assert "16,383 pixels a side" in response.json()["detail"] and "image/png" in response.json()["detail"]

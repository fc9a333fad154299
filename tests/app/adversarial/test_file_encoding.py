"""The formats of the picture that POST /adversarial returns."""

import pytest
import torch

from models.pictures import decode, encode
from tests.app.live_service import Live
from tests.app.picture_requests import classify


def test_webp_is_as_exact_as_png(live: Live, picture: bytes) -> None:
    first, second = (
        live.client.post("/adversarial", files={"image": picture}, data={"format": format, "steps": "3"}).content
        for format in ("png", "webp")
    )
    assert (decode(first) == decode(second)).all()


def test_a_jpeg_answer_is_made_to_outlive_its_encoding(live: Live, picture: bytes) -> None:
    """Every figure in the headers is true of the JPEG itself, at quality 95 or the one that was named."""
    for survive in ("", "jpeg:80"):
        data = {"attack": "ddn", "format": "jpeg", "survive": survive}
        response = live.client.post("/adversarial", files={"image": picture}, data=data)
        assert response.headers["Content-Type"] == "image/jpeg"
        assert response.headers["X-Mirage-Success"] == "true"
        again = classify(live, response.content)[0]
        assert again["label"] == response.headers["X-Mirage-Label"] != response.headers["X-Mirage-Original-Label"]
        assert again["probability"] == pytest.approx(float(response.headers["X-Mirage-Probability"]), abs=2e-4)
        change = (decode(response.content).double() - decode(picture).double()) / 255
        assert float(response.headers["X-Mirage-L2"]) == pytest.approx(change.norm().item(), abs=1e-4)


def test_a_webp_is_no_longer_than_a_webp_can_be(live: Live) -> None:
    """16,384 pixels are one too many: result before the attack, and what to ask for instead."""
    wide = encode(torch.zeros(3, 520, 16_384, dtype=torch.uint8))
    response = live.client.post("/adversarial", files={"image": wide}, data={"format": "webp"})
    assert response.status_code == 413
    assert "16,383 pixels a side" in response.json()["detail"] and "image/png" in response.json()["detail"]

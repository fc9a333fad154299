"""Tests that a large JPEG is decoded at a smaller scale, and in full where its two best classes are close."""

import io
import math

import pytest
import torch
from PIL import Image

from app.operations import classification
from models import store
from models.pictures import decode
from models.preprocessing import to_float
from models.view import view
from tests.app.live_service import TINY, Live, drawn


def large_jpeg(seed: int = 0) -> bytes:
    """Return a JPEG with fine detail, so large that it can be decoded at a quarter of its size."""
    noise = torch.randint(-40, 40, (3, 640, 800), generator=torch.Generator().manual_seed(seed))
    pixels = (drawn(640, 800, seed) + noise).clamp(0, 255).to(torch.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels.permute(1, 2, 0).numpy()).save(buffer, "JPEG", quality=90)
    return buffer.getvalue()


@pytest.mark.parametrize(("clear", "decoded_in_full"), [(math.inf, True), (0.0, False)])
def test_a_near_tie_is_decoded_again_in_full(
    live: Live, monkeypatch: pytest.MonkeyPatch, clear: float, decoded_in_full: bool
) -> None:
    """Where every lead counts as close, probabilities are those of all pixels, else those of the smaller scale."""
    monkeypatch.setattr(classification, "CLEAR", clear)
    file = large_jpeg()
    model = store.load("tiny", folder=live.service.settings.checkpoints)
    with torch.no_grad():
        scaled = model.classifier.logits(view(file, TINY).pixels).softmax(dim=1)[0]
    in_full = model.classifier.probabilities(to_float(decode(file)).unsqueeze(0))[0]
    assert (scaled - in_full).abs().max() > 1e-4, "the two can be told apart"
    expected = in_full if decoded_in_full else scaled
    for route in ("/classify", "/classify/batch"):
        body = live.client.post(route, files={"image": ("large.jpg", file)}, params={"top": 1}).json()
        result = body["results"][0] if "results" in body else body
        (best,) = result["predictions"]
        assert (result["width"], result["height"]) == (800, 640)
        assert best["index"] == expected.argmax()
        assert best["probability"] == pytest.approx(expected.max().item(), abs=1e-5)

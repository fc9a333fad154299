"""Tests how files become classes: on which scale large JPEGs are decoded, and what becomes of dropped work."""

import io
import math
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from PIL import Image

from app.engine.admission import ShuttingDown
from app.operations import classification
from app.operations.classification import Job, _Seen, begin
from app.web.ticket import Ticket, place_of
from models import store
from models.classify import Prediction
from models.pictures import decode, encode
from models.preprocessing import to_float
from models.query import DeadlineExceeded
from models.view import View, view
from tests.app.doubling import Doubling, hold
from tests.app.live_service import TINY, Live, drawn, eventually, serve


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


@pytest.mark.parametrize(
    ("probabilities", "multi_label", "unsure"),
    [
        ((0.6, 0.4), False, True),
        ((0.7, 0.3), False, False),
        ((0.99, 0.9, 0.1), True, False),
        ((0.99, 0.6), True, True),
        ((0.99, 0.4, 0.01), True, True),
        ((0.501,), True, True),
        ((0.9,), True, False),
    ],
)
def test_a_label_that_is_nearly_found_is_a_tie_too(
    probabilities: tuple[float, ...], multi_label: bool, unsure: bool
) -> None:
    """Of classes the first two decide, and of labels each by itself: whether its probability is near one half."""
    predictions = [Prediction(f"label {index}", index, value) for index, value in enumerate(probabilities)]
    scaled = View(torch.zeros(1, 3, 4, 4), 8, 8, exact=False)
    assert _Seen(scaled, predictions, multi_label).is_unsure == unsure
    assert not _Seen(replace(scaled, exact=True), predictions, multi_label).is_unsure


def job_of(live: Live) -> Job:
    """Return the job of a request that has been admitted."""
    request: Any = SimpleNamespace(scope={}, client=None, state=SimpleNamespace())
    place = place_of(request)
    live.service.engine.admission.admit(place)
    ticket = Ticket(request, live.service, place, time.monotonic() + 60)
    return Job(ticket, live.service.registry.get("tiny"), 1)


def test_work_that_is_cancelled_leaves_the_engine_and_a_refusal_is_passed_on(checkpoints: Path) -> None:
    """The engine is held until the first of two tasks has been cancelled; once it is closed, it refuses a third."""
    with serve(checkpoints=checkpoints) as running:
        engine, network = running.service.engine, Doubling()
        hold(engine, network)
        left, stays = (begin(job_of(running), [encode(drawn())]) for _ in range(2))
        eventually(lambda: engine.alive == 3)
        left.cancel()
        network.may_answer.set()
        (result,) = stays.future.result(30)
        assert not isinstance(result, Exception) and result.view.width == 128
        eventually(lambda: engine.alive == 0)
        assert engine.counters.left == 1
        another = job_of(running)
        engine.close(timeout_s=0)
        with pytest.raises(ShuttingDown):
            begin(another, [encode(drawn())], sequel=True).future.result(30)
        another.ticket.close()  # the service waits for it when it stops


def test_a_file_that_waited_beyond_its_deadline_is_not_decoded(live: Live) -> None:
    """Its bytes are no picture, which nobody finds out."""
    job = job_of(live)
    job.ticket.until = time.monotonic() - 1
    with pytest.raises(DeadlineExceeded, match="waited too long"):
        begin(job, [b"no picture"]).future.result(30)
    job.ticket.close()

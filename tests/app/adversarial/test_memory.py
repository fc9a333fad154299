"""Tests the limits on the memory of attacks, alone and together, and that attacks share batches."""

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest

from app.adversarial.memory import attack_cost
from app.memory.costs import ALWAYS_LEFT, ATTACKED, BODY, DECODING, PICTURE
from app.web import ticket
from app.web.middleware.body_memory import PIECE
from models.attacks.survive import parse_survive
from models.pass_times import BatchTimes
from models.pictures import PictureTooLarge, encode
from tests.app.live_service import Live, drawn, eventually, serve
from tests.app.picture_requests import fool


@pytest.mark.parametrize(
    ("attack", "survive", "jpeg", "options", "weight"),
    [
        ("pgd", "png", False, {}, 1200),
        (None, "png", True, {}, 2 * 1200),
        ("pgd", "jpeg:80,jpeg:70", False, {}, 3 * 1200),
        ("pgd", "resize:0.5", False, {}, 1200 + 3 * 300),  # three kernels with a quarter of the pixels
        ("patch", "png", False, {}, 4 * 1200),  # its default number of samples
        ("patch", "jpeg:80", True, {"samples": 2}, 2 * 3 * 1200),
    ],
)
def test_the_memory_of_an_attack_follows_from_the_pixels_that_it_holds(
    attack: str | None, survive: str, jpeg: bool, options: dict[str, object], weight: int
) -> None:
    """The picture has 30 x 40 = 1200 pixels. The limit is 4 x max_pixels, here exactly these or just below it."""
    survivals = parse_survive(survive)
    cost = partial(attack_cost, attack, options, survivals, 1200, jpeg=jpeg)
    assert cost(max_pixels=weight // 4) == PICTURE * 1200 + ATTACKED * weight
    with pytest.raises(PictureTooLarge, match=f"{weight:,} pixels at once"):
        cost(max_pixels=weight // 4 - 1)


def test_a_second_attack_is_refused_when_memory_is_short(checkpoints: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An attack on 12,288 pixels leaves no memory for a second one; /classify of a small picture still works."""
    monkeypatch.setattr(ticket, "PATIENCE_S", 0.1)
    needed = (DECODING + PICTURE + ATTACKED) * 12_288
    with serve(checkpoints=checkpoints) as live, ThreadPoolExecutor(1) as pool:
        memory = live.service.memory
        memory.set_base(memory.total - ALWAYS_LEFT - needed - BODY * PIECE)  # one piece for its body
        long_attack = pool.submit(fool, live, encode(drawn()), attack="pgd", steps=1000, deadline_s=3)
        eventually(lambda: memory.reserved >= (PICTURE + ATTACKED) * 12_288)
        response = live.client.post("/adversarial", files={"image": encode(drawn())})
        assert (response.status_code, response.json()["type"]) == (503, "urn:mirage:problem:overloaded")
        assert int(response.headers["Retry-After"]) >= 1
        assert live.client.post("/classify", files={"image": encode(drawn())}).status_code == 200
        assert long_attack.result()["stopped"]
        eventually(lambda: memory.reserved == 0)
        assert fool(live, encode(drawn()), attack="pgd", steps=1)["passes"]["backward"] == 1
        memory.set_base(memory.total - ALWAYS_LEFT - 1_000_000)
        response = live.client.post("/adversarial", files={"image": encode(drawn())})
        assert (response.status_code, response.json()["type"]) == (413, "urn:mirage:problem:needs-too-much-memory")


def test_an_attack_that_needs_too_much_memory_is_refused(checkpoints: Path) -> None:
    """A picture of 12,288 pixels is resized to four times its sides in three views, with max_pixels of 20,000."""
    with serve(checkpoints=checkpoints, max_pixels=20_000) as live:
        response = live.client.post("/adversarial", files={"image": encode(drawn())}, data={"survive": "resize:4"})
        assert response.status_code == 413 and "pixels at once" in response.json()["detail"]


def test_sixteen_simultaneous_attacks_share_batches(live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the counters of /metrics, a batch has more than 8 rows on average where 16 rows at once pay off."""
    monkeypatch.setattr(BatchTimes, "knee", property(lambda times: 16))

    def counters() -> tuple[float, float]:
        values = dict(line.rsplit(" ", 1) for line in live.client.get("/metrics").text.splitlines() if line[0] != "#")
        return tuple(float(values[f"mirage_engine_gradient_{unit}_total"]) for unit in ("rows", "batches"))  # type: ignore[return-value]

    eventually(lambda: live.service.engine.alive == 0)
    rows, batches = counters()
    with ThreadPoolExecutor(16) as pool:
        pictures = [encode(drawn(90 + seed, 120, seed)) for seed in range(16)]
        results = list(pool.map(lambda picture: fool(live, picture, attack="pgd", steps=40), pictures))
    rows_after, batches_after = counters()
    assert all(result["success"] for result in results)
    assert rows_after - rows == 16 * 40
    assert (rows_after - rows) / (batches_after - batches) > 8

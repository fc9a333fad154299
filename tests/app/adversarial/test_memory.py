"""Tests the limits on the memory of attacks, alone and together, and that attacks share batches."""

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest
import torch

from app.adversarial.memory import attack_weight
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
def test_the_weight_of_an_attack_is_its_number_of_pixels_in_memory(
    attack: str | None, survive: str, jpeg: bool, options: dict[str, object], weight: int
) -> None:
    """The picture has 30 x 40 = 1200 pixels. The limit is 4 x max_pixels, here exactly the weight or just below it."""
    picture, survivals = torch.zeros(3, 30, 40, dtype=torch.uint8), parse_survive(survive)
    weigh = partial(attack_weight, picture, attack, options, survivals, jpeg=jpeg)
    assert weigh(max_pixels=weight // 4) == weight
    with pytest.raises(PictureTooLarge, match=f"{weight:,} pixels at once"):
        weigh(max_pixels=weight // 4 - 1)


def test_a_second_attack_is_refused_when_memory_is_short(checkpoints: Path) -> None:
    """With room for 20,000 pixels, an attack on 12,288 pixels leaves none for a second one; /classify still works."""
    with serve(checkpoints=checkpoints, max_pixels=20_000) as live, ThreadPoolExecutor(1) as pool:
        long_attack = pool.submit(fool, live, encode(drawn()), attack="pgd", steps=1000, deadline_s=3)
        eventually(lambda: live.service.engine.alive)
        response = live.client.post("/adversarial", files={"image": encode(drawn())})
        assert (response.status_code, response.json()["type"]) == (503, "urn:mirage:problem:overloaded")
        assert live.client.post("/classify", files={"image": encode(drawn())}).status_code == 200
        assert long_attack.result()["stopped"]
        eventually(lambda: not live.service.engine.alive)
        assert fool(live, encode(drawn()), attack="pgd", steps=1)["passes"]["backward"] == 1


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

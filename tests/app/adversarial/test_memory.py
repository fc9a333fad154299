"""How much memory attacks may take, alone and together."""

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest
import torch

from app.adversarial.memory import attack_weight
from models.attacks.survive import parse_survive
from models.pictures import PictureTooLarge, encode
from tests.app.live_service import Live, drawn, eventually, serve
from tests.app.picture_requests import fool


@pytest.mark.parametrize(
    ("attack", "survive", "jpeg", "options", "weight"),
    [
        ("pgd", "png", False, {}, 1200),
        (None, "png", True, {}, 2 * 1200),
        ("pgd", "jpeg:80,jpeg:70", False, {}, 3 * 1200),
        ("pgd", "resize:0.5", False, {}, 1200 + 3 * 300),  # three kernels, each of a quarter of the pixels
        ("patch", "png", False, {}, 4 * 1200),  # its default number of samples
        ("patch", "jpeg:80", True, {"samples": 2}, 2 * 3 * 1200),
    ],
)
def test_the_pixels_that_an_attack_holds(
    attack: str | None, survive: str, jpeg: bool, options: dict[str, object], weight: int
) -> None:
    """Of a picture of 30 x 40 pixels; the limit is 4 times the largest picture, here exactly what is held."""
    picture, survivals = torch.zeros(3, 30, 40, dtype=torch.uint8), parse_survive(survive)
    held = partial(attack_weight, picture, attack, options, survivals, jpeg=jpeg)
    assert held(max_pixels=weight // 4) == weight
    with pytest.raises(PictureTooLarge, match=f"{weight:,} pixels at once"):
        held(max_pixels=weight // 4 - 1)


def test_pictures_under_attack_are_bounded_together(checkpoints: Path) -> None:
    """With room for 20,000 pixels, a picture of 12,288 keeps a second one out, but not a classification."""
    with serve(checkpoints=checkpoints, max_pixels=20_000) as live, ThreadPoolExecutor(1) as pool:
        long = pool.submit(fool, live, encode(drawn()), attack="pgd", steps=1000, deadline_s=3)
        eventually(lambda: live.service.engine.alive)
        response = live.client.post("/adversarial", files={"image": encode(drawn())})
        assert (response.status_code, response.json()["type"]) == (503, "urn:mirage:problem:overloaded")
        assert live.client.post("/classify", files={"image": encode(drawn())}).status_code == 200
        assert long.result()["stopped"]
        eventually(lambda: not live.service.engine.alive)
        assert fool(live, encode(drawn()), attack="pgd", steps=1)["passes"]["backward"] == 1


def test_what_one_attack_holds_is_bounded(checkpoints: Path) -> None:
    """A picture of 12,288 pixels, resized to four times its sides in three views, where 20,000 are allowed."""
    with serve(checkpoints=checkpoints, max_pixels=20_000) as live:
        response = live.client.post("/adversarial", files={"image": encode(drawn())}, data={"survive": "resize:4"})
        assert response.status_code == 413 and "pixels at once" in response.json()["detail"]


def test_sixteen_at_once_share_batches(live: Live) -> None:
    """More than 8 rows a batch on average, by the engine's own counters as /metrics tells them."""

    def counters() -> tuple[float, float]:
        values = dict(line.rsplit(" ", 1) for line in live.client.get("/metrics").text.splitlines() if line[0] != "#")
        return tuple(float(values[f"mirage_engine_gradient_{what}_total"]) for what in ("rows", "batches"))  # type: ignore[return-value]

    eventually(lambda: live.service.engine.alive == 0)
    rows, batches = counters()
    with ThreadPoolExecutor(16) as pool:
        pictures = [encode(drawn(90 + seed, 120, seed)) for seed in range(16)]
        results = list(pool.map(lambda picture: fool(live, picture, attack="pgd", steps=40), pictures))
    now_rows, now_batches = counters()
    assert all(result["success"] for result in results)
    assert now_rows - rows == 16 * 40
    assert (now_rows - rows) / (now_batches - batches) > 8

"""POST /adversarial over HTTP."""

import base64
import io
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from models.pictures import decode, encode
from tests.app.conftest import Live, drawn, eventually, serve
from tests.app.events import events


def fool(live: Live, picture: bytes, **fields: object) -> dict[str, Any]:
    """The JSON answer."""
    data = {key: str(value) for key, value in {"format": "json", **fields}.items()}
    answer = live.client.post("/adversarial", files={"image": picture}, data=data)
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    return told


def pixels(url: str) -> torch.Tensor:
    return decode(base64.b64decode(url.partition(",")[2]))


@pytest.mark.parametrize("attack", ["fgsm", "pgd"])
@pytest.mark.parametrize("size", [(96, 128), (41, 30), (300, 200)])
def test_the_report_is_true_of_the_returned_file(live: Live, attack: str, size: tuple[int, int]) -> None:
    """Size, bound and norms recomputed from the files; the verdict is /classify's of the returned bytes."""
    origin = drawn(*size)
    told = fool(live, encode(origin), attack=attack, epsilon="6/255")
    changed = pixels(told["image"])
    assert changed.shape == origin.shape
    levels = changed.int() - origin.int()
    assert levels.abs().max() <= 6
    assert told["norms"]["linf"] == pytest.approx(levels.abs().max().item() / 255)
    assert told["norms"]["l2"] == pytest.approx(levels.double().norm().item() / 255, rel=1e-6)
    assert told["norms"]["l1"] == pytest.approx(levels.abs().sum().item() / 255, rel=1e-6)
    assert told["norms"]["l0"] == levels.any(dim=0).sum()
    for picture, said in ((origin, told["original"]), (changed, told["adversarial"])):
        again = live.client.post("/classify", files={"image": encode(picture)}).json()["predictions"][0]
        assert again["label"] == said["label"]
        assert again["probability"] == pytest.approx(said["probability"], abs=1e-4)
    assert told["success"] is (told["adversarial"]["label"] != told["original"]["label"])
    assert told["success"] or attack == "fgsm", "one step does not always do"


def test_a_target_is_reached(live: Live, picture: bytes) -> None:
    present = fool(live, picture, steps=1)["original"]["label"]
    for target in {"cat", "dog", "Siamese cat"} - {present}:
        told = fool(live, picture, target=target, epsilon=0.06, steps=30)
        assert told["success"] and told["adversarial"]["label"] == target == told["target"]["label"]
        assert told["passes"] == {"forward": 32, "backward": 30}


def test_the_picture_and_its_headers(live: Live, picture: bytes) -> None:
    answer = live.client.post("/adversarial", files={"image": picture}, data={"target": ""})
    image = Image.open(io.BytesIO(answer.content))
    assert (answer.headers["Content-Type"], image.size) == ("image/png", (128, 96))
    figures = json.loads(image.text["mirage"])
    assert answer.headers["X-Mirage-Success"] == "true" and figures["success"] is True
    assert answer.headers["X-Mirage-Label"] == figures["adversarial"]["label"]
    assert figures["target"] is None and "image" not in figures


def test_webp_is_as_exact_as_png(live: Live, picture: bytes) -> None:
    first, second = (
        live.client.post("/adversarial", files={"image": picture}, data={"format": format, "steps": "3"}).content
        for format in ("png", "webp")
    )
    assert (decode(first) == decode(second)).all()


def test_the_perturbation_is_centred_on_grey_and_spans_the_range(live: Live, picture: bytes) -> None:
    told = fool(live, picture)
    change = pixels(told["image"]).int() - pixels(encode_url(picture)).int()
    shown = pixels(told["perturbation"]).int()
    assert (shown[change > 0] > 128).all() and (shown[change < 0] < 127).all() and (shown[change == 0] == 128).all()
    assert {0, 255} & set(shown.unique().tolist())


def encode_url(picture: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(picture).decode()


def test_same_seed_same_picture(live: Live, picture: bytes) -> None:
    first, again, other = (fool(live, picture, seed=seed, steps=3)["image"] for seed in (1, 1, 2))
    assert first == again != other


def test_progress_then_result(live: Live, picture: bytes) -> None:
    data = {"format": "events", "steps": "3", "previews": "true"}
    with live.client.stream("POST", "/adversarial", files={"image": picture}, data=data) as answer:
        heard = list(events(answer.iter_lines()))
    assert [name for name, _ in heard] == ["progress"] * 3 + ["result"]
    assert heard[0][1]["preview"].startswith("data:image/png")
    assert heard[-1][1]["success"] is True


def test_a_failure_midway_is_an_event(live: Live, picture: bytes) -> None:
    """That the picture is of the target already turns out after the stream has begun."""
    present = fool(live, picture, steps=1)["original"]["label"]
    data = {"format": "events", "target": present}
    with live.client.stream("POST", "/adversarial", files={"image": picture}, data=data) as answer:
        ((name, told),) = events(answer.iter_lines())
    assert (name, told["status"]) == ("problem", 422)
    assert told["request_id"] == answer.headers["X-Request-ID"]


def test_a_clients_deadline_gives_the_best_so_far(live: Live, picture: bytes) -> None:
    told = fool(live, encode(drawn(400, 400)), steps=1000, deadline_s=0.3)
    assert told["stopped"] is True
    assert told["passes"]["backward"] < 1000
    again = live.client.post("/classify", files={"image": encode(pixels(told["image"]))}).json()["predictions"][0]
    assert again["label"] == told["adversarial"]["label"]


@pytest.mark.parametrize(
    ("fields", "status", "detail"),
    [
        ({"epsilon": "-0.1"}, 422, "epsilon: "),
        ({"epsilon": "0"}, 422, "epsilon: "),
        ({"epsilon": "nan"}, 422, "epsilon: "),
        ({"epsilon": "1/0"}, 422, "epsilon: "),
        ({"epsilon": "a/b"}, 422, "epsilon: "),
        ({"epsilon": "0.001"}, 422, "1/255"),
        ({"epsilon": "0.00392"}, 422, "1/255"),
        ({"steps": "1000000000"}, 422, "steps: "),
        ({"steps": "0"}, 422, "steps: "),
        ({"seed": "99999999999999999999"}, 422, "seed: "),
        ({"attack": "magic"}, 422, "choose one of fgsm, pgd"),
        ({"attack": "fgsm", "steps": "3"}, 422, "fgsm takes no steps"),
        ({"norm": "l7"}, 422, "norm: "),
        ({"deadline_s": "0"}, 422, "deadline_s: "),
        ({"target": "unicorn"}, 404, "no class is called"),
        ({"target": "99"}, 404, "the indices are 0 to 3"),
        ({"model": "x"}, 404, "is served here"),
        ({"epsilonn": "0.1"}, 422, "epsilonn: "),
    ],
)
def test_options_out_of_range(live: Live, picture: bytes, fields: dict[str, str], status: int, detail: str) -> None:
    answer = live.client.post("/adversarial", files={"image": picture}, data=fields)
    assert (answer.status_code, answer.headers["Content-Type"]) == (status, "application/problem+json")
    assert detail in answer.json()["detail"]


def test_the_model_may_stand_in_the_address(live: Live, picture: bytes) -> None:
    for address, status in (("?model=tiny", 200), ("?model=lost", 404), ("?bogus=1", 422)):
        answer = live.client.post(f"/adversarial{address}", files={"image": picture}, data={"steps": "1"})
        assert answer.status_code == status


def test_pictures_under_attack_are_bounded_together(checkpoints: Path) -> None:
    """With room for 20,000 pixels, a picture of 12,288 keeps a second one out, but not a classification."""
    with serve(checkpoints=checkpoints, max_pixels=20_000) as live, ThreadPoolExecutor(1) as pool:
        long = pool.submit(fool, live, encode(drawn()), steps=1000, deadline_s=3)
        eventually(lambda: live.service.engine.alive)
        answer = live.client.post("/adversarial", files={"image": encode(drawn())})
        assert (answer.status_code, answer.json()["type"]) == (503, "urn:mirage:problem:overloaded")
        assert live.client.post("/classify", files={"image": encode(drawn())}).status_code == 200
        assert long.result()["stopped"]
        eventually(lambda: not live.service.engine.alive)
        assert fool(live, encode(drawn()), steps=1)["passes"]["backward"] == 1


def test_the_present_class_is_no_target(live: Live, picture: bytes) -> None:
    present = fool(live, picture, steps=1)["original"]["label"]
    answer = live.client.post("/adversarial", files={"image": picture}, data={"target": present})
    assert answer.status_code == 422 and "choose another target" in answer.json()["detail"]


def test_broken_pictures_and_missing_ones(live: Live) -> None:
    for content, status in ((b"junk", 415), (encode(drawn())[:3000], 422)):
        assert live.client.post("/adversarial", files={"image": content}).status_code == status
    answer = live.client.post("/adversarial", data={"epsilon": "0.1"})
    assert answer.status_code == 422 and "image: " in answer.json()["detail"]


def test_sixteen_at_once_share_batches(live: Live) -> None:
    """More than 8 rows a batch on average, by the engine's own counters as /metrics tells them."""

    def counted() -> tuple[float, float]:
        told = dict(line.rsplit(" ", 1) for line in live.client.get("/metrics").text.splitlines() if line[0] != "#")
        return tuple(float(told[f"mirage_engine_gradient_{what}_total"]) for what in ("rows", "batches"))  # type: ignore[return-value]

    eventually(lambda: live.service.engine.alive == 0)
    rows, batches = counted()
    with ThreadPoolExecutor(16) as pool:
        pictures = [encode(drawn(90 + seed, 120, seed)) for seed in range(16)]
        told = list(pool.map(lambda picture: fool(live, picture, steps=40), pictures))
    now_rows, now_batches = counted()
    assert all(each["success"] for each in told)
    assert now_rows - rows == 16 * 40
    assert (now_rows - rows) / (now_batches - batches) > 8

"""Tests the mask and the box of POST /adversarial, which restrict the pixels that may change."""

import torch

from models.pictures import decode, encode
from tests.app.live_service import Live, drawn
from tests.app.picture_requests import fool, pixels


def test_only_pixels_of_the_box_change(live: Live, picture: bytes) -> None:
    result = fool(live, picture, attack="pgd", steps=5, box="20,10,50,60")
    changed = (pixels(result["image"]) != decode(picture)).any(dim=0)
    assert changed[10:70, 20:70].any()
    changed[10:70, 20:70] = False
    assert not changed.any()


def test_only_light_pixels_of_the_mask_change(live: Live, picture: bytes) -> None:
    """With a box as well, only pixels that both allow change."""
    mask = torch.zeros(3, 96, 128, dtype=torch.uint8)
    mask[:, :, 64:] = 255
    for box, allowed in (("", (slice(0, 96), slice(64, 128))), ("0,0,100,50", (slice(0, 50), slice(64, 100)))):
        files = {"image": picture, "mask": encode(mask)}
        data = {"attack": "pgd", "steps": "4", "format": "json", "box": box}
        result = live.client.post("/adversarial", files=files, data=data).json()
        changed = (pixels(result["image"]) != decode(picture)).any(dim=0)
        assert changed[allowed].any()
        changed[allowed] = False
        assert not changed.any()


def test_a_mask_of_another_size_is_refused(live: Live, picture: bytes) -> None:
    files = {"image": picture, "mask": encode(drawn(50, 50))}
    response = live.client.post("/adversarial", files=files)
    assert response.status_code == 422
    assert "mask: it has 50 x 50 pixels and the picture 128 x 96" in response.json()["detail"]


def test_a_box_that_does_not_overlap_the_mask_is_refused(live: Live, picture: bytes) -> None:
    mask = torch.zeros(3, 96, 128, dtype=torch.uint8)
    mask[:, :, 64:] = 255
    files = {"image": picture, "mask": encode(mask)}
    response = live.client.post("/adversarial", files=files, data={"box": "0,0,60,90"})
    assert response.status_code == 422 and "nothing may change" in response.json()["detail"]

"""How much memory an attack takes, in pixels, and the limit for one attack."""

from collections.abc import Mapping, Sequence

from jaxtyping import UInt8
from torch import Tensor

from models.attacks.options import ATTACKS
from models.attacks.survive import Survival
from models.pictures import PictureTooLarge

MAX_PICTURES = 4
"""Largest memory of one attack, as a multiple of MIRAGE_MAX_PIXELS."""


def attack_weight(
    picture: UInt8[Tensor, "3 h w"],
    attack: str | None,
    options: Mapping[str, object],
    survive: Sequence[Survival],
    *,
    jpeg: bool,
    max_pixels: int,
) -> int:
    """Number of pixels that the attack holds at once, for the engine's memory limit.

    Each conversion in `survive` adds copies of the picture, and so does a JPEG response; the patch attack holds all of
    them once per sample. `options` are the attack's own. Raises PictureTooLarge above MAX_PICTURES x `max_pixels`.
    """
    pictures = 1 + jpeg + sum(survival.weight for survival in survive)
    if attack == "patch":
        samples = options.get("samples", ATTACKS["patch"].defaults["samples"])
        assert isinstance(samples, int), "attack_options has checked it"
        pictures *= samples
    weight = round(picture.shape[1] * picture.shape[2] * pictures)
    limit = MAX_PICTURES * max_pixels
    if weight > limit:
        raise PictureTooLarge(
            f"the attack would hold {weight:,} pixels at once, and the limit is {limit:,}: send a smaller picture, or "
            "leave out a part of `survive`"
        )
    return weight

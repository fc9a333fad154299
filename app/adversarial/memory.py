"""How much memory an attack takes, and the limit for one attack."""

from collections.abc import Mapping, Sequence

from app.memory.costs import ATTACKED, PICTURE
from models.attacks.options import ATTACKS
from models.attacks.survive import Survival
from models.pictures import PictureTooLarge

MAX_PICTURES = 4
"""Largest memory of one attack, as a multiple of MIRAGE_MAX_PIXELS."""


def attack_cost(
    attack: str | None,
    options: Mapping[str, object],
    survive: Sequence[Survival],
    pixels: int,
    *,
    jpeg: bool,
    max_pixels: int,
) -> int:
    """Number of bytes that the attack holds at once for a picture of so many pixels.

    Each conversion in `survive` adds copies of the picture, and so does a JPEG response; the patch attack holds all of
    them once per sample. `options` are the attack's own. Raises PictureTooLarge for an attack that would hold more than
    MAX_PICTURES x `max_pixels` pixels.
    """
    pictures = 1 + jpeg + sum(survival.weight for survival in survive)
    if attack == "patch":
        samples = options.get("samples", ATTACKS["patch"].defaults["samples"])
        assert isinstance(samples, int), "attack_options has checked it"
        pictures *= samples
    held = round(pixels * pictures)
    limit = MAX_PICTURES * max_pixels
    if held > limit:
        raise PictureTooLarge(
            f"the attack would hold {held:,} pixels at once, and the limit is {limit:,}: send a smaller picture, or "
            "leave out a part of `survive`"
        )
    return PICTURE * pixels + ATTACKED * held

"""Photos of any size, made from the one of the documentation."""

import io

from PIL import Image

from soak.service import REPOSITORY

PHOTO = REPOSITORY / "docs" / "pictures" / "chelsea.png"
LARGEST_SIDE = 4990
"""Side in pixels of a square photo of 24.9 megapixels; the service reads 25."""


def photo(side: int) -> bytes:
    """A square JPEG with this side in pixels."""
    file = io.BytesIO()
    with Image.open(PHOTO) as picture:
        picture.convert("RGB").resize((side, side)).save(file, "JPEG", quality=60)
    return file.getvalue()

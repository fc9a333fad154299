"""A picture's becoming as an animation: WebP, or GIF for where that is all that plays."""

import io
import math
from collections.abc import Sequence

from jaxtyping import UInt8
from PIL import Image
from torch import Tensor

from app.web.thumbnail import thumbnail
from models.preprocessing import to_float
from models.query import Progress

MOST_FRAMES = 96
SIDE = 320
"""Most pixels of a frame across or down."""
FRAME_MS, LAST_MS = 60, 2000


class Reel:
    """Collects frames from the progress of a task: at most MOST_FRAMES, evenly spread over its steps."""

    def __init__(self) -> None:
        self.frames: list[UInt8[Tensor, "3 h w"]] = []
        self.torn = False

    def put(self, progress: Progress) -> None:
        """Keep a small copy of the preview, where this step is due; `torn` tells that one could not be kept."""
        self.torn = True  # until it has gone well: who raises hears no more
        stride = math.ceil(progress.steps / MOST_FRAMES)
        preview = progress.render() if (progress.step - 1) % stride == 0 else None  # drawn at each asking
        if preview is not None:
            self.frames.append(thumbnail(preview, SIDE).cpu())
        self.torn = False

    def develop(self, last: UInt8[Tensor, "3 h w"], *, format: str) -> bytes:
        """The frames and then the finished picture, held for LAST_MS, as `webp` or `gif`; it plays for ever."""
        finished = thumbnail(to_float(last), SIDE).cpu()
        images = [_image(each) for each in [*self.frames, finished]]
        durations = [FRAME_MS] * len(self.frames) + [LAST_MS]
        buffer = io.BytesIO()
        options = {"quality": 85, "method": 3} if format == "webp" else {"disposal": 1}
        if format == "gif":
            images = _paletted(images)
        images[0].save(
            buffer, format.upper(), save_all=True, append_images=images[1:], duration=durations, loop=0, **options
        )
        return buffer.getvalue()


def _image(levels: UInt8[Tensor, "3 h w"]) -> Image.Image:
    return Image.fromarray(levels.permute(1, 2, 0).numpy())


def _paletted(images: Sequence[Image.Image]) -> list[Image.Image]:
    """In the colours of the last frame, so that they do not flicker from one frame to the next."""
    palette = images[-1].quantize(256)
    return [image.quantize(palette=palette) for image in images]

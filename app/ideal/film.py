"""A film of how an ideal picture emerges step by step: an animated WebP, or a GIF."""

import io
import math
from collections.abc import Sequence

from jaxtyping import UInt8
from PIL import Image
from torch import Tensor

from app.web.thumbnail import thumbnail
from models.preprocessing import to_float
from models.query import Progress

MAX_FRAMES = 96
"""Largest number of frames, without the finished picture."""
SIDE = 320
"""Largest length of the longer side of a frame, in pixels."""
FRAME_MS = 60
"""Milliseconds for which a frame is shown."""
LAST_MS = 2000
"""Milliseconds for which the finished picture is shown."""


class Film:
    """Collects frames from the progress of a task: at most MAX_FRAMES, evenly spread over its steps.

    `incomplete` says whether a frame could not be kept.
    """

    def __init__(self) -> None:
        self.frames: list[UInt8[Tensor, "3 h w"]] = []
        self._next_step = 1
        self.incomplete = False

    def add(self, progress: Progress) -> None:
        """Keep a small copy of the preview, if this step is to be a frame."""
        self.incomplete = True  # until the frame is kept: after an exception the engine does not call again
        preview = progress.render() if progress.step >= self._next_step else None
        if preview is not None:
            self.frames.append(thumbnail(preview, SIDE).cpu())
            stride = math.ceil(progress.steps / MAX_FRAMES)
            self._next_step = progress.step + stride - (progress.step - 1) % stride
        self.incomplete = False

    def encode(self, last: UInt8[Tensor, "3 h w"], *, format: str) -> bytes:
        """The frames and then the finished picture for LAST_MS, as `webp` or `gif`; it plays in an endless loop."""
        finished = thumbnail(to_float(last), SIDE).cpu()
        images = [_image(frame) for frame in [*self.frames, finished]]
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
    """All images in the palette of the last one, so that colours do not flicker from one frame to the next."""
    palette = images[-1].quantize(256)
    return [image.quantize(palette=palette) for image in images]

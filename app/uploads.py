"""The picture in a request: a multipart field, or the raw body."""

import torch
from fastapi import Request, UploadFile
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile as StarletteUpload
from starlette.exceptions import HTTPException
from torch import Tensor

from models.pictures import decode


async def picture_of_upload(upload: UploadFile | StarletteUpload, *, max_pixels: int, device: torch.device) -> Tensor:
    """The decoded picture uint8 [3, h, w] of a multipart field, on the device."""
    return await run_in_threadpool(_decode, await upload.read(), max_pixels, device)


async def picture_of_request(request: Request, *, max_pixels: int, device: torch.device) -> Tensor:
    """The decoded picture of the multipart field `image`, or of a body whose type is image/*."""
    kind = request.headers.get("Content-Type", "")
    if kind.startswith("multipart/form-data"):
        async with request.form(max_files=1, max_fields=10) as form:
            upload = form.get("image")
            if not isinstance(upload, StarletteUpload):
                raise HTTPException(422, "image: the form has no file of this name; send one: -F image=@cat.jpg")
            return await picture_of_upload(upload, max_pixels=max_pixels, device=device)
    if kind.startswith("image/") or kind == "application/octet-stream":
        return await run_in_threadpool(_decode, await request.body(), max_pixels, device)
    raise HTTPException(415, "send the picture as multipart field `image`, or as the body with Content-Type image/*")


def _decode(data: bytes, max_pixels: int, device: torch.device) -> Tensor:
    # uint8 crosses to the device: a quarter of float32's bytes.
    return decode(data, max_pixels=max_pixels).to(device)

"""The picture in a request: a multipart field, or the raw body."""

from anyio.to_thread import run_sync
from fastapi import Request, UploadFile
from starlette.datastructures import FormData
from starlette.datastructures import UploadFile as StarletteUpload
from starlette.exceptions import HTTPException
from torch import Tensor

from app.service import Service
from models.pictures import decode


async def picture_of_upload(upload: UploadFile | StarletteUpload, service: Service) -> Tensor:
    """The decoded picture uint8 [3, h, w] of a multipart field, on the device."""
    return await _decoded(await upload.read(), service)


async def picture_of_request(request: Request, service: Service) -> Tensor:
    """The decoded picture of the multipart field `image`, or of a body whose type is image/*."""
    kind = request.headers.get("Content-Type", "").lower()
    if kind.startswith("multipart/form-data"):
        try:
            async with request.form(max_files=1, max_fields=10) as form:
                return await picture_of_upload(_image(form), service)
        except UnicodeError as error:  # a charset parameter that names no encoding of text
            raise HTTPException(400, "the form's charset cannot be read: send the form as UTF-8") from error
    if kind.startswith("image/") or kind == "application/octet-stream":
        return await _decoded(await request.body(), service)
    raise HTTPException(415, "send the picture as multipart field `image`, or as the body with Content-Type image/*")


def _image(form: FormData) -> StarletteUpload:
    upload = form.get("image")
    if not isinstance(upload, StarletteUpload):
        raise HTTPException(422, "image: the form has no file of this name; send one: -F image=@cat.jpg")
    if surplus := set(form) - {"image"}:
        raise HTTPException(
            422, f"{', '.join(sorted(surplus))}: /classify takes its options in the address: ?model=&top="
        )
    return upload


async def _decoded(data: bytes, service: Service) -> Tensor:
    service.engine.check_room()  # no decoding for a house that is full

    def decoded() -> Tensor:
        # uint8 crosses to the device: a quarter of float32's bytes.
        return decode(data, max_pixels=service.settings.max_pixels).to(service.registry.device)

    return await run_sync(decoded, limiter=service.decoders)

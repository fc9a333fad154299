"""Which pixels an attack may change, by the mask and the box of the request."""

from jaxtyping import Bool
from starlette.concurrency import run_in_threadpool
from torch import Tensor

from app.adversarial.requests import AdversarialOptions
from app.memory.costs import of_pixels
from app.web.ticket import Ticket
from app.web.uploads.uploads import decode_upload
from models.attacks.masks import BadMask, mask_of_box, mask_of_picture


async def allowed_pixels(options: AdversarialOptions, picture: Tensor, ticket: Ticket) -> Bool[Tensor, "h w"] | None:
    """True where both the uploaded mask and the box allow a change; None if the request has neither.

    Raises BadMask if they do not fit the picture or allow nothing, and the errors of `decode_upload` for the mask.
    """
    height, width = picture.shape[1:]
    mask = None
    if options.mask is not None:
        upload = await decode_upload(options.mask, ticket, of_pixels(0), name="mask")
        mask = await run_in_threadpool(mask_of_picture, upload, height, width)
    if options.box is not None:
        inside = mask_of_box(options.box, height, width).to(picture.device)
        mask = inside if mask is None else mask & inside
        if not mask.any():
            raise BadMask(
                "box: it contains no light pixel of the mask, so nothing may change: move the box or the mask"
            )
    return mask

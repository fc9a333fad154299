"""The options of POST /classify."""

from pydantic import Field

from app.web.fields import MODEL, ModelName, Options, PictureFile


class ClassifyOptions(Options):
    """The picture and the options of POST /classify."""

    image: PictureFile = Field(description="The picture file to classify.")
    model: ModelName = Field(default=None, description=MODEL, examples=[""])
    top: int = Field(
        default=5,
        ge=1,
        le=1000,
        description="Number of most probable classes to return, from 1 to 1000. Default: 5.",
    )

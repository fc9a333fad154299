"""The request of POST /classify."""

from pydantic import Field

from app.web.fields import MODEL, ModelName, Options, PictureFile


class ClassifyOptions(Options):
    """Fields of POST /classify."""

    image: PictureFile = Field(description="the picture")
    model: ModelName = Field(default=None, description=MODEL, examples=[""])
    top: int = Field(default=5, ge=1, le=1000, description="how many classes to tell")

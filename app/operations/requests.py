"""The options of POST /classify and POST /classify/batch."""

from typing import Annotated

from pydantic import Field

from app.web.fields import MODEL, MOST_PICTURES, ModelName, Options, PictureFile, PictureFiles

Top = Annotated[
    int,
    Field(ge=1, le=1000, description="Number of most probable classes to return, from 1 to 1000. Default: 5."),
]


class ClassifyOptions(Options):
    """The picture and the options of POST /classify."""

    image: PictureFile = Field(description="The picture file to classify.")
    model: ModelName = Field(default=None, description=MODEL, examples=[""])
    top: Top = 5


class BatchOptions(Options):
    """The pictures and the options of POST /classify/batch."""

    image: PictureFiles = Field(
        description=f"The picture files to classify, 1 to {MOST_PICTURES}: the field is repeated for each of them."
    )
    model: ModelName = Field(default=None, description=MODEL, examples=[""])
    top: Top = 5

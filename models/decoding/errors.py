"""Why a file cannot be read as a picture; each error says what to do next."""


class PictureError(ValueError):
    """A file that cannot be read: `fault` says what was received, `remedy` what to do next (it may be empty)."""

    def __init__(self, fault: str, remedy: str = "") -> None:
        super().__init__(fault, remedy)
        self.fault = fault
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.fault}: {self.remedy}" if self.remedy else self.fault


class NotAPicture(PictureError):
    """The bytes are in none of the picture formats that are read."""


class BrokenPicture(PictureError):
    """The file begins like a picture, but cannot be decoded to its end or has an impossible shape."""


class UnclearLevels(BrokenPicture):
    """The picture is complete, but its file does not say which numbers are black and white."""


class PictureTooLarge(PictureError):
    """According to its header the picture has more pixels than the limit."""

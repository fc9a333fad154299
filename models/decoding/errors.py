"""Why a file becomes no picture, each with what to do next."""


class PictureError(ValueError):
    """A file that becomes no picture: `fault` says what was received, `remedy` what to do next (it may be empty)."""

    def __init__(self, fault: str, remedy: str = "") -> None:
        super().__init__(fault, remedy)
        self.fault = fault
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.fault}: {self.remedy}" if self.remedy else self.fault


class NotAPicture(PictureError):
    """Bytes of no picture format that is read here."""


class BrokenPicture(PictureError):
    """A picture by its first bytes that cannot be decoded to its end, or has an impossible shape."""


class UnclearLevels(BrokenPicture):
    """A whole picture whose file does not say which of its numbers are black and white."""


class PictureTooLarge(PictureError):
    """More pixels than the limit, by the file's own header."""

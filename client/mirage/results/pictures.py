"""Results with pictures, which can be saved exactly as the service encoded them."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from mirage.errors import BadOption
from mirage.files import write_whole


@dataclass(frozen=True)
class WithPictures:
    """A result with pictures: as `PIL.Image.Image`, and as the files that the service made."""

    files: Mapping[str, bytes] = field(default_factory=dict[str, bytes], kw_only=True, repr=False, compare=False)
    """The pictures as files, by the names of their fields. All figures of a result are those of exactly these files;
    a picture that Pillow has encoded again as a JPEG is another one."""

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the file `image` as the service made it, whole or not at all, and return its path.

        Raises BadOption if the result has no picture of this name, or the path's ending is that of another format, and
        OSError if the file cannot be written.
        """
        if "image" not in self.files:
            raise BadOption("this result has no single picture: save the pictures of its parts")
        return write(Path(path), self.files["image"])


def write(path: Path, content: bytes) -> Path:
    """Write a picture file under a name with its own ending, whole or not at all."""
    ending = ending_of(content)
    if path.suffix.lower() not in (ending, ".jpeg" if ending == ".jpg" else ending):
        raise BadOption(
            f"{path.name}: the figures hold for the file that the service made, whose name has to end with {ending}: "
            f"save it as {path.with_suffix(ending).name}, or convert the picture yourself with image.save()"
        )
    return write_whole(path, content)


def ending_of(content: bytes) -> str:
    """The ending of a picture file by its first bytes: .png, .jpg or .webp."""
    if content.startswith(b"\xff\xd8"):
        return ".jpg"
    return ".webp" if content[8:12] == b"WEBP" else ".png"

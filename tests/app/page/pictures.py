"""Pictures that are given to the page, and those that it shows."""

import base64
import io
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from playwright.sync_api import JSHandle, Locator, Page

from app.page.page import FILES
from tests.app.page.service_process import REPOSITORY

CHELSEA = (FILES / "samples" / "chelsea.jpg").read_bytes()
"""The photo with which the page opens."""
PICTURES = REPOSITORY / "docs" / "pictures"
"""Pictures that the page does not have."""
TRANSFER = """([name, base64]) => {
  const transfer = new DataTransfer();
  const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
  transfer.items.add(new File([bytes], name, { type: "image/png" }));
  return transfer;
}"""
REDRAWN = """async (image, [type, quality]) => {
  await image.decode();
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [image.naturalWidth, image.naturalHeight];
  canvas.getContext("2d").drawImage(image, 0, 0);
  return canvas.toDataURL(type, quality);
}"""


def sample(name: str) -> bytes:
    """Return the file of one of the page's own samples."""
    return (FILES / "samples" / name).read_bytes()


def levels(picture: bytes) -> NDArray[np.int64]:
    """Return the pixels of a picture file, [height, width, 3] from 0 to 255."""
    return np.asarray(Image.open(io.BytesIO(picture)).convert("RGB")).astype(np.int64)


def transfer(tab: Page, file: Path) -> JSHandle:
    """Return a DataTransfer in the page that holds a file, as a drop and a paste do."""
    return tab.evaluate_handle(TRANSFER, [file.name, base64.b64encode(file.read_bytes()).decode()])


def shown_file(image: Locator) -> bytes:
    """Return the file that an image shows, once it is there; its address is a data URL."""
    return file_of(image.get_attribute("src") or "")


def file_of(url: str) -> bytes:
    """Return the file of a data URL."""
    assert url.startswith("data:image/"), url[:100]
    return base64.b64decode(url.partition(",")[2])


def redrawn(image: Locator, kind: str = "image/png", quality: float = 1) -> bytes:
    """Return what an image shows as a file that the browser encodes anew."""
    return file_of(image.evaluate(REDRAWN, [kind, quality]))

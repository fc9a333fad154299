"""HTML pages as single files: pictures are embedded, and there are no scripts and no links to other files."""

import base64
import html
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from jaxtyping import UInt8
from torch import Tensor

from models.pictures import encode
from training.data.loading.photo_store import resized

SIDE = 160
"""Largest width and height of thumbnails in pixels."""
STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 1200px; margin: 2em auto; padding: 0 1em; color: #222 }
table { border-collapse: collapse } td, th { padding: .2em .8em; text-align: left; border-bottom: 1px solid #ddd }
.row { display: flex; flex-wrap: wrap; gap: 1em } figure { margin: 0; width: 170px }
figcaption { font-size: 12px; overflow-wrap: anywhere } img { max-width: 100% }
.warning { border-left: 4px solid #c60; padding-left: .8em }
.plots img { max-height: 420px } code { overflow-wrap: anywhere }
"""


@dataclass(frozen=True)
class GalleryItem:
    """A picture (JPEG) with the name of its file and a caption."""

    picture: bytes
    name: str
    caption: str


def document(title: str, body: Iterable[str]) -> str:
    """The whole page."""
    escaped = html.escape(_plain(title))
    parts = "\n".join(body)
    return f"""<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{escaped}</title><style>{STYLE}</style>
<h1>{escaped}</h1>
{parts}
</html>
"""


def thumbnail(pixels: UInt8[Tensor, "3 h w"]) -> bytes:
    """The picture as a JPEG with at most SIDE pixels on its longer side."""
    height, width = pixels.shape[1:]
    scale = min(1.0, SIDE / max(height, width))
    return encode(resized(pixels, max(1, round(height * scale)), max(1, round(width * scale))), format="jpeg")


def gallery(title: str, items: Sequence[GalleryItem]) -> str:
    """A section with thumbnails and captions in rows."""
    elements = "\n".join(
        f'<figure><img src="{_data(item.picture, "jpeg")}" alt=""><figcaption>{html.escape(_plain(item.caption))}<br>'
        f"<code>{html.escape(_plain(item.name))}</code></figcaption></figure>"
        for item in items
    )
    return f'<h2>{html.escape(_plain(title))}</h2>\n<div class="row">{elements}</div>'


def figures(pictures: Mapping[str, bytes], title: str = "") -> str:
    """Plots (PNG) in a row; with a title they are a section."""
    heading = f"<h2>{html.escape(_plain(title))}</h2>\n" if title else ""
    elements = "\n".join(
        f'<img src="{_data(data, "png")}" alt="{html.escape(name.removesuffix(".png"))}">'
        for name, data in pictures.items()
    )
    return f'{heading}<div class="row plots">{elements}</div>'


def paragraph(text: str) -> str:
    """A paragraph of plain text."""
    return f"<p>{html.escape(_plain(text))}</p>"


def note(text: str) -> str:
    """A warning, which stands at the top of a page."""
    return f'<p class="warning"><strong>Warning:</strong> {html.escape(_plain(text))}</p>'


def table(title: str, heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A section with a table of plain text."""

    def line(cells: Sequence[str], tag: str) -> str:
        return "<tr>" + "".join(f"<{tag}>{html.escape(_plain(cell))}</{tag}>" for cell in cells) + "</tr>"

    body = "\n".join(line(row, "td") for row in rows)
    return f"<h2>{html.escape(_plain(title))}</h2>\n<table>{line(heads, 'th')}\n{body}</table>"


def _data(data: bytes, format: str) -> str:
    return f"data:image/{format};base64,{base64.b64encode(data).decode()}"


def _plain(text: str) -> str:
    # A file name may contain bytes that are not UTF-8.
    return text.encode("utf-8", "backslashreplace").decode()

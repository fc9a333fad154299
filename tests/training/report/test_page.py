from html.parser import HTMLParser
from pathlib import Path

import torch

from models.pictures import decode
from models.spec import Spec
from tests.training.drawn import write_gratings
from training.data.loading.batches import LabelledPhotos
from training.data.scan.findings import Photo
from training.data.scan.inspect_file import pixel_digest, read_picture
from training.data.sources.open_source import open_source
from training.data.sources.source import Source
from training.metrics import measure
from training.report.folder import MAX_MISTAKES, worst_mistakes, write_report
from training.report.page import SIDE, GalleryItem, document, figures, gallery, table, thumbnail


def photos_of(source: Source) -> list[Photo]:
    """The pictures of the source, with the digests of their pixels."""
    names = [name for name in source.names if name.endswith(".png")]
    return [Photo(name, name[0], pixel_digest(read_picture(source, name).pixels)) for name in names]


class Tags(HTMLParser):
    """The tags and the text of a page as a browser reads them."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)

    def handle_data(self, data: str) -> None:
        self.text += data


def test_names_are_escaped_in_the_page() -> None:
    evil = "<script>alert(1)</script>\udcff.png"
    parts = [gallery(evil, [GalleryItem(b"x", evil, evil)]), table(evil, (evil,), [(evil,)]), figures({evil: b"x"})]
    tags = Tags(document(evil.encode("utf-8", "replace").decode(), parts))
    assert "script" not in tags.tags and tags.tags.count("img") == 2
    assert "<script>alert(1)</script>" in tags.text and "\\udcff" in tags.text


def test_thumbnails_are_small_and_never_larger_than_the_picture() -> None:
    large = torch.zeros(3, 400, 200, dtype=torch.uint8)
    assert decode(thumbnail(large)).shape == (3, SIDE, SIDE // 2)
    assert decode(thumbnail(large[:, :50, :40])).shape == (3, 50, 40)
    assert decode(thumbnail(large[:, :, :20])).shape == (3, SIDE, 8)


def test_the_most_confident_mistakes_come_first(tmp_path: Path) -> None:
    """Two of four photos are classified wrongly: 0.95 comes before 0.6."""
    source = open_source(write_gratings(tmp_path / "data", {"x": 2, "y": 2}))
    photos = photos_of(source)
    probabilities = torch.tensor([[0.4, 0.6], [0.9, 0.1], [0.95, 0.05], [0.2, 0.8]])
    mistakes = worst_mistakes(
        LabelledPhotos(source, photos, {"x": 0, "y": 1}), Spec("vgg11", ("fox", "hen")), probabilities.log()
    )
    assert [item.name for item in mistakes] == ["y/0.png", "x/0.png"]
    assert [item.caption for item in mistakes] == ["hen, classified as fox (95.0%)", "fox, classified as hen (60.0%)"]
    assert len(mistakes) <= MAX_MISTAKES


def test_a_title_that_is_not_utf8_can_be_written() -> None:
    """The name of a folder may have bytes that are not UTF-8."""
    assert "photos" in document("photos \udcff", []).encode().decode()


def test_the_report_warns_of_a_class_that_is_never_predicted(tmp_path: Path) -> None:
    """The title has both accuracies, the warning is above the table of the classes, and the page is UTF-8."""
    source = open_source(write_gratings(tmp_path / "data", {"x": 2, "y": 2}))
    photos = photos_of(source)
    spec = Spec("vgg11", ("fox", "猫<b>"))
    logits = torch.tensor([[2.0, 0.0]] * 4)
    labelled = LabelledPhotos(source, photos, {"x": 0, "y": 1})
    metrics = measure(logits, labelled.labels, spec.classes)
    provenance = {"metrics": {**metrics.to_json(), "split": "all"}, "recipe": {"class_weights": "none"}}
    write_report(tmp_path / "report", labelled, spec, provenance, metrics, logits)
    page = (tmp_path / "report" / "report.html").read_bytes().decode("utf-8")
    assert "<h1>50.00% of 4 photos classified correctly, balanced accuracy 50.00%</h1>" in page
    text = Tags(page).text
    assert "Warning: the class '猫<b>' is never predicted on the photos measured" in text
    assert text.index("never predicted") < text.index("Classes") and "--class-weights balanced" in text
    assert (tmp_path / "report" / "confusion.png").is_file()

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from models.pictures import decode
from tests.training.reds import write_reds
from training.comparison import ComparedClass, Comparison, DifferingPhoto, paired_text
from training.data.loading.batches import LabelledPhotos
from training.data.scan.findings import Photo
from training.data.scan.inspect_file import pixel_digest, read_picture
from training.data.sources.open_source import open_source
from training.metrics import measure
from training.paired import PairedCounts
from training.report import comparison as module
from training.report.comparison import write_comparison
from training.transfer import Transfer

LABELS = torch.tensor([0, 0, 1, 1])
ROWS = [{"epsilon": 0.0, "accuracy": 0.75, "interval": [0.3, 0.95]}]
ROWS.append({"epsilon": 4 / 255, "accuracy": 0.25, "interval": [0.05, 0.7]})
CURVE = {"attack": "apgd", "norm": "linf", "photos": 4, "options": {"steps": 5}, "curve": ROWS}


def comparison_of(names: tuple[str, str]) -> Comparison:
    """The first model is wrong about the photo 0, the second about 1 and 2, of four photos."""
    first = measure(torch.tensor([[0.0, 2.0], [2.0, 0.0], [0.0, 2.0], [0.0, 3.0]]), LABELS, ("fox", "hen"))
    second = measure(torch.tensor([[2.0, 0.0], [0.0, 1.0], [1.0, 0.0], [0.0, 3.0]]), LABELS, ("fox", "hen"))
    return Comparison(
        names=names,
        on="test",
        notes=("chosen & common",),
        warnings=("<b>unfair</b>",),
        metrics=(first, second),
        counts=PairedCounts(both=1, only_first=2, only_second=1, neither=0),
        classes=(ComparedClass("fox", 2, (1, 1)), ComparedClass("hen", 2, (2, 1))),
        differing=(
            DifferingPhoto(0, "x/10.png", "fox", (False, True), ("hen", "fox"), (0.881, 0.882)),
            DifferingPhoto(1, "x/20.png", "fox", (True, False), ("fox", "hen"), (0.883, 0.731)),
            DifferingPhoto(2, "y/200.png", "hen", (True, False), ("hen", "fox"), (0.884, 0.732)),
        ),
        robustness=(CURVE, {**CURVE, "curve": [ROWS[0], {**ROWS[1], "accuracy": 0.5}]}),
        transfer=(Transfer("apgd", "linf", 4 / 255, 3, 2, 1), Transfer("apgd", "linf", 4 / 255, 3, 0, 0)),
    )


@pytest.fixture
def data(tmp_path: Path) -> LabelledPhotos:
    source = open_source(write_reds(tmp_path / "data", {"x": (10, 20), "y": (200, 210)}))
    names = ["x/10.png", "x/20.png", "y/200.png", "y/210.png"]
    photos = [Photo(name, name[0], pixel_digest(read_picture(source, name).pixels)) for name in names]
    return LabelledPhotos(source, photos, {"x": 0, "y": 1})


def test_the_page_has_every_figure(data: LabelledPhotos, tmp_path: Path) -> None:
    write_comparison(tmp_path / "report", comparison_of(("old", "new")), data)
    page = (tmp_path / "report" / "report.html").read_text("utf-8")
    for text in (
        "<h1>old and new on 4 test photos</h1>",
        "<p>chosen &amp; common.</p>",
        "&lt;b&gt;unfair&lt;/b&gt;",
        "<td>accuracy</td><td>75.00%</td><td>50.00%</td>",
        "Accuracy of old minus accuracy of new: +25.00 percentage points (95 % interval ",
        "exact McNemar test of equal accuracies: p = 1).",
        "<td>only old</td><td>2</td>",
        "<td>neither, and they predict different classes</td><td>0</td>",
        "Accuracy under apgd (linf) on 4 photos, with 95 % intervals",
        "<td>4/255</td><td>25.00% (5.00% to 70.00%)</td><td>50.00% (5.00% to 70.00%)</td>",
        "<td>old</td><td>3</td><td>2</td><td>new</td><td>1</td><td>50.00%</td><td>9.45% to 90.55%</td>",
        "<td>new</td><td>3</td><td>0</td><td>old</td><td>0</td><td>no successes</td><td></td>",
        "<td>hen</td><td>2</td><td>100.00%</td><td>50.00%</td>",
        "Classified correctly only by new: 1 photo<",
        "Classified correctly only by old: 2 photos<",
        "fox, classified as hen by old (88.1%) and as fox by new (88.2%)",
    ):
        assert text in page, text
    assert "Both are wrong" not in page and page.count("data:image/jpeg") == 3 and page.count("data:image/png") == 2
    assert page.index("x/20.png") < page.index("y/200.png")
    assert page.index("<td>hen</td><td>2</td>") < page.index("<td>fox</td><td>2</td>"), "fox is equal for both"


def test_only_the_most_confident_mistakes_are_shown(
    data: LabelledPhotos, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_PHOTOS", 1)
    write_comparison(tmp_path, comparison_of(("old", "new")), data)
    page = (tmp_path / "report.html").read_text("utf-8")
    assert "Classified correctly only by old: the 1 most confident mistakes of 2 photos<" in page
    assert "x/20.png" in page and "y/200.png" not in page


def test_without_an_attack_there_is_neither_a_curve_nor_transfer(data: LabelledPhotos, tmp_path: Path) -> None:
    write_comparison(tmp_path, replace(comparison_of(("old", "new")), robustness=None, transfer=None), data)
    page = (tmp_path / "report.html").read_text("utf-8")
    assert not (tmp_path / "robustness.png").exists() and "ttack" not in page and "Reliability" not in page
    assert decode((tmp_path / "reliability.png").read_bytes()).shape[0] == 3


@pytest.mark.parametrize(
    "names", [("<script>", "$a_{$"), ("_hidden", "猫"), ("x" * 300, "\udcff"), ("a (first)", "\U00012000")]
)
def test_models_may_have_any_names(data: LabelledPhotos, tmp_path: Path, names: tuple[str, str]) -> None:
    """A name that cannot be drawn would cause a warning, which is an error here."""
    write_comparison(tmp_path, comparison_of(names), data)
    assert "<script>" not in (tmp_path / "report.html").read_text("utf-8")


def test_the_text_says_how_many_are_wrong_in_different_ways() -> None:
    comparison = comparison_of(("old", "new"))
    first, second = paired_text(comparison).splitlines()
    assert first == "photos that are classified correctly by both: 1, only by old: 2, only by new: 1, by neither: 0"
    assert second.startswith("accuracy of old minus accuracy of new: +25.00 percentage points (95 % interval ")
    wrong = DifferingPhoto(3, "y/210.png", "hen", (False, False), ("fox", "owl"), (0.6, 0.7))
    more = replace(comparison, differing=(wrong,), counts=PairedCounts(0, 2, 2000, 1))
    text = paired_text(more)
    assert "by neither: 1 (1 of them as different classes)" in text and "p < 1e-300)" in text and wrong.mistake == 0.7

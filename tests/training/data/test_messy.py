"""Random data sets as messy as people's are, held to an oracle that knows what was put where."""

import csv
import tempfile
from dataclasses import replace
from functools import cache
from pathlib import Path
from random import Random

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from models import checkpoint
from tests.training.data import messy_tables  # noqa: F401 - adds its layout
from tests.training.data.messy import Case, expected, fit_refusal
from tests.training.data.messy_builder import Builder
from tests.training.data.messy_holding import checked, hold, hold_split, job, quiet, written
from tests.training.data.messy_junk import strew
from tests.training.data.messy_layouts import LAYOUTS
from tests.training.data.messy_names import WRAPPERS
from tests.training.data.messy_packing import PACKINGS, SPOKEN, zip_in
from tests.training.data.messy_pictures import lossless
from tests.training.drawn import write_pretrained
from training.data.options import DataOptions
from training.data.sources import file_identity
from training.fit import fit
from training.prepare import prepare
from training.pretrained import load_pretrained

CHECKS = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.function_scoped_fixture]
once = cache(load_pretrained)


@pytest.fixture(scope="module")
def pretrained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_pretrained(tmp_path_factory.mktemp("weights") / "weights.pth")


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files may be believed at once: no test waits two seconds. The weights are read once."""
    monkeypatch.setattr(file_identity, "SETTLED_NS", 0)
    monkeypatch.setattr("training.prepare.load_pretrained", once)


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """A data set of any layout, with junk, packed in any way."""
    random: Random = draw(st.randoms(use_true_random=False))
    kind = draw(st.sampled_from(sorted(LAYOUTS)))
    builder = Builder(random)
    wrappers = draw(st.lists(st.sampled_from(WRAPPERS), max_size=3, unique=True))
    builder.top = "".join(f"{folder}/" for folder in wrappers)
    builder.case.kind = kind
    LAYOUTS[kind](builder)
    builder.make_twins()
    strew(builder)
    builder.case.packing = draw(st.sampled_from(PACKINGS))
    return builder.case


@settings(max_examples=20, suppress_health_check=CHECKS)
@given(cases())
def test_messy_data_is_read_as_it_was_meant(pretrained: Path, case: Case) -> None:
    hold(case, pretrained)


@pytest.mark.slow
@settings(max_examples=500, suppress_health_check=CHECKS)
@given(cases())
def test_much_messy_data_is_read_as_it_was_meant(pretrained: Path, case: Case) -> None:
    hold(case, pretrained)


@settings(max_examples=20, suppress_health_check=CHECKS)
@given(st.sampled_from(sorted(SPOKEN)), st.randoms(use_true_random=False))
def test_names_in_a_code_page_that_a_zip_does_not_name_are_read(page: str, random: Random) -> None:
    """By the words alone; what was assumed is printed with the option that settles it."""
    words = random.sample(SPOKEN[page], random.randint(2, 3))
    names = {f"{word}/{number}.png": word for word in words for number in range(2)}
    files = {name: lossless(number, "PNG").data for number, name in enumerate(names)}
    with tempfile.TemporaryDirectory() as folder:
        scan, text = checked(zip_in(page, Path(folder), files), DataOptions(), Path(folder))
    assert {photo.name: photo.folder for photo in scan.photos} == names and not scan.findings
    assert "--zip-encoding" in text


@pytest.mark.slow
@settings(max_examples=6, suppress_health_check=CHECKS)
@given(cases())
def test_a_fit_trains_on_what_it_said(pretrained: Path, case: Case) -> None:
    """Through to the checkpoint: its classes, and the split as it is written beside it."""
    wanted = expected(case)
    assume(not case.refusal and not fit_refusal(case, wanted))
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        path, options = written(case, place / "one", case.packing)
        asked = job(path, options, place, pretrained, phase="probe")
        metrics = fit(asked, quiet())
        assert metrics is not None
        assert checkpoint.read(asked.output).spec.classes == tuple(sorted(case.classes))
        ready = prepare(replace(asked, overwrite=True), quiet())
        hold_split(case, wanted, ready)
        with asked.folder.split_file.open(encoding="utf-8", newline="") as file:
            rows = {row["file"]: row["side"] for row in csv.DictReader(file)}
        assert rows == {photo.name: side for side, photos in ready.split.by_name.items() for photo in photos}

"""Random messy data sets are read as the oracle expects, which knows how they were built."""

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
from tests.training.data.messy import tables  # noqa: F401 - adds its layout to LAYOUTS
from tests.training.data.messy.builder import Builder
from tests.training.data.messy.junk import strew
from tests.training.data.messy.layouts import LAYOUTS
from tests.training.data.messy.names import WRAPPERS
from tests.training.data.messy.oracle import Case, expected, fit_refusal
from tests.training.data.messy.packing import PACKINGS, SPOKEN, zip_in
from tests.training.data.messy.pictures import lossless
from tests.training.data.messy.reading import (
    assert_read_as_expected,
    assert_split_as_expected,
    options_of_fit,
    quiet,
    run_check,
    write_case,
)
from tests.training.drawn import write_pretrained
from training.data.options import DataOptions
from training.data.sources import file_identity
from training.fit import fit
from training.prepare import prepare
from training.pretrained import load_pretrained

CHECKS = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.function_scoped_fixture]
load_pretrained_once = cache(load_pretrained)


@pytest.fixture(scope="module")
def pretrained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_pretrained(tmp_path_factory.mktemp("weights") / "weights.pth")


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """File times count as reliable at once, so that no test has to wait; the weights are read once."""
    monkeypatch.setattr(file_identity, "SETTLED_NS", 0)
    monkeypatch.setattr("training.prepare.load_pretrained", load_pretrained_once)


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
def test_messy_data_is_read_as_expected(pretrained: Path, case: Case) -> None:
    assert_read_as_expected(case, pretrained)


@pytest.mark.slow
@settings(max_examples=500, suppress_health_check=CHECKS)
@given(cases())
def test_many_messy_data_sets_are_read_as_expected(pretrained: Path, case: Case) -> None:
    assert_read_as_expected(case, pretrained)


@settings(max_examples=20, suppress_health_check=CHECKS)
@given(st.sampled_from(sorted(SPOKEN)), st.randoms(use_true_random=False))
def test_names_in_an_unknown_code_page_of_a_zip_are_read(page: str, random: Random) -> None:
    """The code page is guessed from the words, and the output names the option --zip-encoding."""
    words = random.sample(SPOKEN[page], random.randint(2, 3))
    names = {f"{word}/{number}.png": word for word in words for number in range(2)}
    files = {name: lossless(number, "PNG").data for number, name in enumerate(names)}
    with tempfile.TemporaryDirectory() as folder:
        scan, text = run_check(zip_in(page, Path(folder), files), DataOptions(), Path(folder))
    assert {photo.name: photo.folder for photo in scan.photos} == names and not scan.findings
    assert "--zip-encoding" in text


@pytest.mark.slow
@settings(max_examples=6, suppress_health_check=CHECKS)
@given(cases())
def test_a_fit_trains_on_the_prepared_photos(pretrained: Path, case: Case) -> None:
    """The checkpoint has the expected classes, and the run folder the expected split."""
    expected_result = expected(case)
    assume(not case.refusal and not fit_refusal(case, expected_result))
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        path, options = write_case(case, place / "one", case.packing)
        fit_options = options_of_fit(path, options, place, pretrained, phase="probe")
        metrics = fit(fit_options, quiet())
        assert metrics is not None
        assert checkpoint.read(fit_options.output).spec.classes == tuple(sorted(case.classes))
        ready = prepare(replace(fit_options, overwrite=True), quiet())
        assert_split_as_expected(case, expected_result, ready)
        with fit_options.folder.split_file.open(encoding="utf-8", newline="") as file:
            rows = {row["file"]: row["split"] for row in csv.DictReader(file)}
        assert rows == {photo.name: split for split, photos in ready.split.by_name.items() for photo in photos}

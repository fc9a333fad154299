"""Tests the Python functions for attacks: `fool` for one picture, `fool_all` for many, and `summary`."""

import inspect
import math
import re
from collections.abc import Generator, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from models.attacks import library
from models.attacks.library import Picture, fool, fool_all, summary
from models.attacks.options import BadAttack
from models.attacks.survive import BadSurvival
from models.attacks.task import Adversarial, AlreadyTarget, adversarial
from models.classes import UnknownClass
from models.classifier import Classifier
from models.classify import classify
from models.pictures import BrokenPicture, NotAPicture, decode, encode
from models.query import Passes
from models.run import run
from models.store import Model, load
from tests.conftest import Draw

QUICK: dict[str, Any] = {"attack": "pgd", "steps": 4, "epsilon": 8 / 255}


@pytest.fixture(scope="module")
def pictures(draw: Draw) -> list[Tensor]:
    """Return seven pictures of seven sizes."""
    return [draw(30 + 7 * seed, 61 - 4 * seed, seed) for seed in range(7)]


def predicted_index(classifier: Classifier, picture: Tensor) -> int:
    return run(classify(picture, classifier.spec), classifier)[0].index


def test_a_picture_may_be_a_path_bytes_or_levels(tiny: Classifier, pictures: list[Tensor], tmp_path: Path) -> None:
    """A path, a path as text, bytes and a tensor of levels all give exactly the result of the task `adversarial`."""
    data = encode(pictures[0])
    (tmp_path / "one.png").write_bytes(data)
    expected = run(adversarial(pictures[0], tiny.spec, **QUICK), tiny)
    for form in (tmp_path / "one.png", str(tmp_path / "one.png"), data, pictures[0]):
        result = fool(tiny, form, **QUICK)
        assert torch.equal(result.picture, expected.picture)
        assert torch.equal(result.origin, pictures[0])


def test_a_model_and_its_classifier_give_the_same_result(tiny: Classifier, pictures: list[Tensor]) -> None:
    first, second = (fool(model, pictures[0], **QUICK) for model in (tiny, Model("tiny", tiny, {})))
    assert torch.equal(first.picture, second.picture)


def test_the_default_attack_depends_on_norm_and_epsilon(tiny: Classifier, pictures: list[Tensor]) -> None:
    result = fool(tiny, pictures[0], steps=5)
    assert (result.attack, result.norm) == ("auto", "l2")
    assert fool(tiny, pictures[0], norm="l0", steps=5).norm == "l0"
    assert fool(tiny, pictures[0], epsilon=4 / 255, steps=5).attack == "pgd"


@pytest.mark.parametrize(("target", "index"), [("Siamese cat", 1), ("3", 2), (2, 2), ("0", 0), ("red-fox", 0)])
def test_a_target_is_a_name_or_an_index(
    tiny: Classifier, pictures: list[Tensor], target: str | int, index: int
) -> None:
    """The class of index 2 is called "3", so the text "3" and the number 2 both mean it."""
    picture = next(picture for picture in pictures if predicted_index(tiny, picture) != index)
    result = fool(tiny, picture, target=target, attack="ddn", steps=30)
    assert result.success and result.target is not None
    assert result.target.index == result.adversarial.index == index
    assert predicted_index(tiny, result.picture) == index


@pytest.mark.parametrize("target", ["wombat", "", "99", 4, -1])
def test_an_unknown_target_is_refused(tiny: Classifier, pictures: list[Tensor], target: str | int) -> None:
    with pytest.raises(UnknownClass):
        fool(tiny, pictures[0], target=target)
    with pytest.raises(UnknownClass):
        next(fool_all(tiny, pictures, target=target, progress=False))


def test_the_predicted_class_is_refused_as_target(tiny: Classifier, pictures: list[Tensor]) -> None:
    with pytest.raises(AlreadyTarget):
        fool(tiny, pictures[0], target=predicted_index(tiny, pictures[0]))


def test_bad_arguments_raise_the_documented_errors(tiny: Classifier, pictures: list[Tensor], tmp_path: Path) -> None:
    """The errors are those that the docstring of `fool` names."""
    with pytest.raises(BadAttack):
        fool(tiny, pictures[0], attack="ddn", epsilon=0.1)
    with pytest.raises(BadSurvival):
        fool(tiny, pictures[0], survive="gif")
    with pytest.raises(NotAPicture):
        fool(tiny, b"junk")
    with pytest.raises(BrokenPicture):
        fool(tiny, encode(pictures[0])[:1000])
    with pytest.raises(FileNotFoundError, match=r"none\.png"):
        fool(tiny, tmp_path / "none.png")


def test_the_result_survives_the_given_transformation(tiny: Classifier, pictures: list[Tensor]) -> None:
    result = fool(tiny, pictures[0], survive="jpeg:60,png", attack="ddn", steps=20)
    assert result.success and [survival.name for survival in result.survive] == ["png", "jpeg:60"]
    saved = decode(encode(result.picture, format="jpeg", quality=60))
    assert predicted_index(tiny, saved) != result.original.index


def test_after_the_deadline_the_best_result_is_returned(tiny: Classifier, pictures: list[Tensor]) -> None:
    """Far fewer than 1000 steps are taken and the result is complete; without a deadline all steps are taken."""
    result = fool(tiny, pictures[0], attack="ddn", steps=1000, deadline_s=0.1)
    assert result.stopped and result.passes.backward < 1000
    assert predicted_index(tiny, result.picture) == result.adversarial.index
    assert not fool(tiny, pictures[0], attack="ddn", steps=20).stopped
    assert fool(tiny, pictures[0], deadline_s=-1.0).stopped, "the first query is always answered"


@pytest.mark.parametrize("at_once", [1, 3, 8])
def test_fool_all_gives_every_picture_the_result_of_fool(
    tiny: Classifier, pictures: list[Tensor], at_once: int
) -> None:
    """Batches hold pictures of several sizes; every picture has one result, with the same verdict as alone."""
    results = list(fool_all(tiny, pictures, at_once=at_once, progress=False, **QUICK))
    assert sorted(number for number, _ in results) == list(range(7))
    for number, result in results:
        alone = fool(tiny, pictures[number], **QUICK)
        assert result is not None
        assert torch.equal(result.origin, pictures[number])
        assert (result.success, result.adversarial.index) == (alone.success, alone.adversarial.index)
        assert result.adversarial.probability == pytest.approx(alone.adversarial.probability, abs=0.01)


def test_pictures_that_already_are_the_target_have_no_result(tiny: Classifier, pictures: list[Tensor]) -> None:
    """The result is None for exactly the pictures whose predicted class is the target."""
    classes = [predicted_index(tiny, picture) for picture in pictures]
    target = max(set(classes), key=classes.count)
    assert 1 <= classes.count(target) < 7
    result = dict(fool_all(tiny, pictures, target=target, progress=False, **QUICK))
    assert [result[number] is None for number in range(7)] == [index == target for index in classes]


def test_pictures_are_read_only_when_they_are_needed(tiny: Classifier, pictures: list[Tensor]) -> None:
    """From endless pictures, only as many are read as are finished or running."""
    read = 0

    def endless() -> Iterator[Tensor]:
        nonlocal read
        while True:
            read += 1
            yield pictures[read % 7]

    results = fool_all(tiny, endless(), at_once=2, progress=False, **QUICK)
    assert read == 0
    for done in range(1, 6):
        next(results)
        assert done <= read <= done + 2
    results.close()  # type: ignore[attr-defined]


def test_closing_fool_all_closes_all_running_tasks(
    tiny: Classifier, pictures: list[Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    started, ended = [], []

    def watched_adversarial(picture: Tensor, *args: Any, **options: Any) -> Generator[Any, Any, Adversarial]:
        started.append(picture)
        try:
            return (yield from adversarial(picture, *args, **options))
        finally:
            ended.append(picture)

    monkeypatch.setattr(library, "adversarial", watched_adversarial)
    results = fool_all(tiny, pictures, target=predicted_index(tiny, pictures[0]), at_once=3, progress=False, **QUICK)
    assert next(results) == (0, None)  # after its first query, when other tasks have started
    assert (len(started), len(ended)) == (3, 1)
    results.close()  # type: ignore[attr-defined]
    assert (len(started), len(ended)) == (3, 3)


def test_the_progress_bar_is_shown_on_standard_error(
    tiny: Classifier, pictures: list[Tensor], capsys: pytest.CaptureFixture[str]
) -> None:
    """It has the total number of pictures where that is known; with progress=False nothing is printed."""
    list(fool_all(tiny, pictures, progress=False, **QUICK))
    assert capsys.readouterr() == ("", "")
    list(fool_all(tiny, pictures, **QUICK))
    captured = capsys.readouterr()
    assert captured.out == "" and "7/7" in captured.err and "picture/s" in captured.err
    list(fool_all(tiny, iter(pictures[:2]), **QUICK))
    assert "2picture" in capsys.readouterr().err


@pytest.mark.parametrize("form", ["path", "bytes"])
def test_the_error_of_a_broken_file_names_it(
    tiny: Classifier, pictures: list[Tensor], tmp_path: Path, form: str
) -> None:
    """The error is that of the decoder, with a note that names the picture."""
    files: list[Picture] = []
    for number, picture in enumerate(pictures[:5]):
        data = encode(picture)[: 1000 if number == 3 else None]
        (tmp_path / f"{number}.png").write_bytes(data)
        files.append(tmp_path / f"{number}.png" if form == "path" else data)
    done = []
    with pytest.raises(BrokenPicture, match=r"cannot be decoded.*send it whole") as caught:
        done += [number for number, _ in fool_all(tiny, files, at_once=2, progress=False, **QUICK)]
    (note,) = caught.value.__notes__
    assert note == (f"picture 3: {tmp_path / '3.png'}" if form == "path" else "picture 3: bytes")


def test_bad_options_are_raised_before_the_first_result(tiny: Classifier, pictures: list[Tensor]) -> None:
    with pytest.raises(BadAttack, match="there is no attack 'magic'"):
        next(fool_all(tiny, pictures, attack="magic", progress=False))
    with pytest.raises(BadSurvival):
        next(fool_all(tiny, pictures, survive="gif", progress=False))


def test_every_picture_has_its_own_deadline(tiny: Classifier, pictures: list[Tensor]) -> None:
    result = list(fool_all(tiny, pictures[:3], attack="ddn", steps=1000, deadline_s=0.1, at_once=1, progress=False))
    assert len(result) == 3
    assert all(
        adversarial_result is not None and adversarial_result.stopped and adversarial_result.passes.backward > 1
        for _, adversarial_result in result
    )


def test_the_summary_of_known_results(tiny: Classifier, pictures: list[Tensor]) -> None:
    """Three of four succeed; their L2 of 1, 2 and 6 have the median 2. The failure of 100 and the None do not count."""
    template = fool(tiny, pictures[0], **QUICK)
    results = [
        replace(
            template,
            success=success,
            norms={"linf": l2 / 10, "l2": l2, "l1": 3 * l2, "l0": int(l2)},
            passes=Passes(forward, backward),
        )
        for success, l2, forward, backward in [
            (True, 6.0, 5, 4),
            (False, 100.0, 9, 8),
            (True, 1.0, 3, 1),
            (True, 2.0, 2, 0),
        ]
    ]
    totals = summary([results[0], None, *results[1:]])
    assert (totals.pictures, totals.fooled, totals.success_rate) == (4, 3, 0.75)
    assert totals.median_norms == pytest.approx({"linf": 0.2, "l2": 2.0, "l1": 6.0, "l0": 2})
    assert totals.passes_per_picture == (9 + 17 + 4 + 2) / 4


def test_the_summary_without_results_has_no_rates(tiny: Classifier, pictures: list[Tensor]) -> None:
    """Rates and medians are NaN where there is nothing to compute them from."""
    for results in ([], [None]):
        totals = summary(iter(results))
        assert (totals.pictures, totals.fooled) == (0, 0)
        assert all(map(math.isnan, (totals.success_rate, totals.passes_per_picture, *totals.median_norms.values())))
    failed = summary([replace(fool(tiny, pictures[0], **QUICK), success=False)])
    assert failed.success_rate == 0 and all(map(math.isnan, failed.median_norms.values()))


def examples(function: Any) -> str:
    """Return the indented lines of a docstring, which are its example."""
    return "\n".join(re.findall(r"^    (.*)$", inspect.getdoc(function) or "", flags=re.MULTILINE))


def test_the_examples_of_the_docstrings_run(
    tiny: Classifier,
    draw: Draw,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A small model replaces the bundled one, and the picture is one that it does not classify as a dog."""
    spec = replace(tiny.spec, classes=("dog", "cat", "mouse", "cow"))
    small = Model("cats-dogs", Classifier(tiny.network[1], spec), {})
    monkeypatch.setattr("models.store.load", lambda name: {"cats-dogs": small}[name])
    monkeypatch.chdir(tmp_path)
    Path("cat.jpg").write_bytes(encode(draw(50, 60), format="jpeg"))
    Path("photos").mkdir()
    for seed in range(3):
        Path(f"photos/{seed}.jpg").write_bytes(encode(draw(40, 50, seed), format="jpeg"))
    names: dict[str, Any] = {"Path": Path, "encode": encode}
    exec(examples(fool), names)
    result = names["result"]
    assert capsys.readouterr().out == f"True {result.norms['l2']} dog\n"
    assert torch.equal(decode(Path("fooled.png").read_bytes()), result.picture)
    names |= {"fool_all": fool_all, "summary": summary}
    exec(examples(fool_all), names)
    assert set(names["results"]) == {0, 1, 2}
    assert capsys.readouterr().out == f"{summary(names['results'].values())}\n"


def test_the_bundled_model_is_fooled_on_a_photo(chelsea: Tensor) -> None:
    """A photo of a cat, reduced to a third, is classified as a dog after five steps, also when saved as a file."""
    model = load("cats-dogs")
    result = fool(model, chelsea[:, ::3, ::3].contiguous(), target="dog", epsilon=8 / 255, steps=5)
    assert (result.original.label, result.adversarial.label, result.success) == ("cat", "dog", True)
    assert run(classify(decode(encode(result.picture)), model.spec), model.classifier)[0].label == "dog"

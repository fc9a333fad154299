"""The page with models that were trained elsewhere: without gradients, with several labels per photo, rectangular."""

import re
from collections.abc import Iterator

import pytest
import torch
from PIL import Image
from playwright.sync_api import Browser, Locator, Page, Request, expect
from torch import nn

from models.pictures import decode
from tests.app.page.accessibility import violations
from tests.app.page.address import link, values_of
from tests.app.page.answers import ask, change_answer, expect_classified, top
from tests.app.page.conftest import OpenTab
from tests.app.page.fool import button, result, stage
from tests.app.page.pictures import CHELSEA, redrawn, shown_file
from tests.app.page.service_process import ServiceProcess
from tests.app.page.texts import certainty, of_an_attack, text
from tests.integration.imported import SIDE, export, gated, prepared, run_import

pytestmark = pytest.mark.browser

CLASSES = ("fern", "moss", "lichen", "algae", "clover", "ivy", "reed")
LOGITS = {
    "rounded": (0.0, 1.0, 0.3, -0.5),
    "labels": (1.2, 0.5, -0.6, -1.5),
    "none": (-1.0, -2.0, -3.0, -4.0),
    "many": (1.2, 1.1, 1.0, 0.9, 0.8, 0.7, -1.0),
}
"""The models, and what each says of the photo with which the page opens: of labels, those above 0 are found."""


@pytest.fixture(scope="module")
def imported(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServiceProcess]:
    """Return a service of a program that rounds inside, and of some of labels: two, none and six in the photo."""
    sources, folder = tmp_path_factory.mktemp("sources"), tmp_path_factory.mktemp("models")
    inputs = prepared(decode(CHELSEA), (SIDE, round(SIDE * 451 / 300)), (SIDE, SIDE), Image.Resampling.BILINEAR)
    for name, logits in LOGITS.items():
        network = gated(len(logits), levels=24 if name == "rounded" else 0)
        head = network.get_submodule("head")
        assert isinstance(head, nn.Linear)
        head.bias += torch.tensor(logits) - network(inputs)[0]
        source = export(network, sources / f"{name}.pt2", rows=None)
        kind = [] if name == "rounded" else ["--multi-label", "--licence", "CC0-1.0"]
        plain = ["--mean", "0", "--std", "1", "--resize", str(SIDE)]
        run_import(source, folder / f"{name}.safetensors", "--classes", ",".join(CLASSES[: len(logits)]), *plain, *kind)
    with ServiceProcess(tmp_path_factory.mktemp("service"), checkpoints=folder, models=",".join(LOGITS)) as service:
        yield service


@pytest.fixture
def page(imported: ServiceProcess, open_tab: OpenTab) -> Page:
    """Return an empty tab for that service."""
    return open_tab(imported)


def said(tab: Page, key: str, **values: str) -> Locator:
    """What the room says, by the key of its text."""
    return tab.get_by_role("main").get_by_text(text(key, **values), exact=True)


def shares(service: ServiceProcess, picture: bytes, model: str) -> dict[str, float]:
    """The probability of each class, the most probable one first."""
    predictions = ask(service, "/classify", picture, model=model, top="100")["predictions"]
    return {entry["label"]: entry["probability"] for entry in predictions}


def note_requests(tab: Page, end: str) -> list[Request]:
    """Return a list to which every request is added whose path begins with this."""
    noted: list[Request] = []
    tab.on("request", lambda request: noted.append(request) if f"/{end}" in request.url else None)
    return noted


def test_a_model_without_gradients_says_that_it_cannot_be_explained(page: Page, imported: ServiceProcess) -> None:
    """Even if a link asks why; the service is not asked what it would refuse. The layers are shown."""
    asked = note_requests(page, "explain")
    page.goto(link("see", model="rounded", show="why"))
    expect_classified(page, imported, CHELSEA, model="rounded")
    expect(said(page, "why.no-gradients")).to_be_visible()
    expect(page.get_by_role("group", name=text("why.show"))).to_have_count(0)
    bars = page.get_by_role("list", name=text("bars.label"))
    expect(bars.get_by_role("listitem")).to_have_count(4)
    expect(bars.get_by_role("button")).to_have_count(0)
    expect(page.get_by_role("group", name=text("layers.maps")).get_by_role("button").first).to_be_visible()
    expect(page.get_by_role("link", name=text("layers.imagine"))).to_have_count(0)
    assert asked == [] and violations(page) == []


def test_a_model_without_gradients_is_fooled_by_the_attack_that_works(page: Page, imported: ServiceProcess) -> None:
    """From the room See with two clicks; the file that is shown is proven, and the code names the attack."""
    refused = note_requests(page, "adversarial/targets")
    page.goto(link("see", model="rounded"))
    page.get_by_role("link", name=text("see.fool")).click()
    expect(said(page, "fool.no-gradients")).to_be_visible()
    expect(page.get_by_role("group", name=text("fool.mode"))).to_have_count(0)
    before, file = shares(imported, CHELSEA, "rounded"), result(page)
    label, probability = top(imported, file, model="rounded")
    sentence = of_an_attack("fool.fooled", probability, model="rounded", label=label)
    expect(page.get_by_role("main").get_by_text(sentence)).to_be_visible()
    assert label != next(iter(before))
    (row, *_) = rows_of_proof(page)
    first = next(iter(before))
    assert row == ["rounded", f"{first} {certainty(before[first])}", f"{label} {certainty(probability)}"]
    page.get_by_text(text("code.title")).click()
    expect(page.get_by_role("main").locator("pre").first).to_contain_text("attack=square")
    expect(button(page, "fool.look")).to_have_count(0)
    assert refused == []
    button(page, "fool.start-over").click()
    expect(button(page, "fool.start")).to_be_enabled()


def rows_of_proof(tab: Page) -> list[list[str]]:
    """Press the button that proves the result, and return the rows of the table that appears."""
    button(tab, "prove.button").click()
    rows = tab.get_by_role("table", name=text("prove.title")).locator("tbody tr")
    expect(rows).to_have_count(len(LOGITS))
    return [row.locator("th, td").all_inner_texts() for row in rows.all()]


def test_the_targets_of_a_model_without_gradients_are_what_it_nearly_sees(page: Page, imported: ServiceProcess) -> None:
    """Found by /classify, since nobody can measure how near a class is."""
    page.goto(link("fool", model="rounded"))
    chips = page.get_by_role("group", name=text("fool.target", model="rounded")).locator("label:has([type=radio])")
    expect(chips).to_have_text([text("fool.any-other"), *list(shares(imported, CHELSEA, "rounded"))[1:]])
    page.get_by_text(text("fool.more")).click()
    expect(page.get_by_role("combobox", name=text("fool.attack"))).to_have_count(0)
    assert violations(page) == []


@pytest.mark.parametrize("values", [{}, {"run": "1", "class": "moss", "seed": "3"}, {"subject": "channel", "run": "1"}])
def test_a_model_without_gradients_does_not_draw(page: Page, values: dict[str, str]) -> None:
    """One sentence says why, also in place of what a link asks for."""
    asked = note_requests(page, "ideal")
    page.goto(link("imagine", model="rounded", **values))
    expect(said(page, "ideal.no-gradients", model="rounded")).to_be_visible()
    expect(button(page, "ideal.draw")).to_have_count(0)
    assert asked == [] and violations(page) == []


@pytest.mark.parametrize(("model", "count"), [("labels", 2), ("many", 6)])
def test_all_labels_that_are_found_are_named(page: Page, imported: ServiceProcess, model: str, count: int) -> None:
    """The sentence has every label from one half on, and the bars have the first five of all."""
    page.goto(link("see", model=model))
    found = shares(imported, CHELSEA, model)
    named = [f"{label} {certainty(share)}" for label, share in found.items() if share >= 0.5]
    assert len(named) == count
    *first, last = named
    labels = f"{', '.join(first)}{',' * (count > 2)} and {last}"
    expect(said(page, "see.labels", model=model, labels=labels)).to_be_visible()
    expect(said(page, "see.labels.hint")).to_be_visible()
    bars = page.get_by_role("list", name=text("bars.label")).get_by_role("listitem")
    expect(bars).to_have_text([f"{label} {certainty(share)}" for label, share in list(found.items())[:5]])
    assert violations(page) == []


@pytest.mark.parametrize("add", [False, True])
def test_a_label_is_removed_or_added_and_never_called_two_classes(
    page: Page, imported: ServiceProcess, add: bool
) -> None:
    """The sentence, the proof and the JPEG are about the probability of one label, before and after."""
    before = shares(imported, CHELSEA, "labels")
    label = next(iter(before)) if not add else next(name for name, share in before.items() if share < 0.5)
    page.goto(link("fool", model="labels", effort="quick"))
    chip = text("fool.label.add" if add else "fool.label.remove", label=label)
    page.get_by_role("radio", name=chip).check(force=True)
    button(page, "fool.start").click()
    image = stage(page).get_by_role("img", name=re.compile(re.escape(f"“{label}”")))
    expect(image).to_be_visible()
    after = shares(imported, shown_file(image), "labels")[label]
    assert (after >= 0.5) == add and (before[label] >= 0.5) != add
    key = "fool.label.found" if add else "fool.label.lost"
    sentence = of_an_attack(key, after, model="labels", label=label)
    expect(page.get_by_role("main").get_by_text(sentence)).to_be_visible()
    (row, *_) = rows_of_proof(page)
    assert row == ["labels", f"{label} {certainty(before[label])}", f"{label} {certainty(after)}"]
    expect(page.locator("tr.fooled").first).to_contain_text("labels")
    again = shares(imported, redrawn(image, "image/jpeg", 0.75), "labels")[label]
    button(page, "jpeg.button").click()
    end = "held" if (again >= 0.5) == add else "lost"
    expect(said(page, f"jpeg.label.{end}", label=label, share=certainty(again))).to_be_visible()
    assert violations(page) == []


def test_where_no_label_is_found_one_is_added(page: Page, imported: ServiceProcess) -> None:
    """The most probable one, if the visitor does not choose; nothing is offered that the service would refuse."""
    before = shares(imported, CHELSEA, "none")
    label = next(iter(before))
    page.goto(link("fool", model="none", effort="quick"))
    expect(said(page, "see.labels.none", model="none", label=label, share=certainty(before[label]))).to_be_visible()
    chips = page.get_by_role("group", name=text("fool.target", model="none"))
    expect(chips.get_by_role("radio", name=text("fool.label.add", label=label))).to_be_checked()
    expect(chips.get_by_text(text("fool.label.remove", label=""))).to_have_count(0)
    button(page, "fool.start").click()
    expect(page.get_by_role("main").get_by_text(re.compile(f"^none now finds: {label}, 5"))).to_be_visible()
    assert "target" not in values_of(page, "fool")


def test_an_ideal_picture_of_a_label(page: Page) -> None:
    """It is recognised if the label is found, whatever other labels are found as well."""
    page.goto(link("imagine", model="labels", run="1", effort="quick", **{"class": "algae"}))
    sentence = re.compile("^(In its picture, labels sees: algae|labels does not find “algae”)")
    expect(page.get_by_role("main").get_by_text(sentence)).to_be_visible()


def test_the_exhibits_say_where_models_come_from(page: Page, imported: ServiceProcess) -> None:
    """Their files, their licences, and what they can do; a rectangular input has its width first."""
    change = {"input_size": [128, 224]}
    change_answer(page, "models/none", **change)
    page.goto("/#models")
    exhibits = {name: page.get_by_role("article", name=name, exact=True) for name in LOGITS}
    for name, exhibit in exhibits.items():
        expect(exhibit).to_contain_text(text("models.program"))
        expect(exhibit).to_contain_text(text("models.source.exported", name=f"{name}.pt2"))
        expect(exhibit).to_contain_text(text("models.not-measured"))
        expect(exhibit.get_by_role("button", name="Download its model card")).to_be_visible()
    for name in ("labels", "none"):
        expect(exhibits[name]).to_contain_text("It looks for 4 labels, of which a photo can have several: “fern”")
        expect(exhibits[name]).to_contain_text(text("models.licence", licence="CC0-1.0"))
    expect(exhibits["rounded"]).to_contain_text("It tells 4 classes apart: “fern”, “moss”, “lichen”, and “algae”.")
    expect(exhibits["rounded"]).to_contain_text(text("models.licence.unknown"))
    expect(exhibits["rounded"]).to_contain_text(text("models.no-gradients"))
    expect(exhibits["labels"]).not_to_contain_text(text("models.no-gradients"))
    expect(exhibits["none"]).to_contain_text("224 × 128 pixels")
    expect(exhibits["labels"]).to_contain_text("48 × 48 pixels")
    assert violations(page) == []


@pytest.mark.parametrize("kind", ["torchvision", "timm", "huggingface", "registered", "of a later version"])
def test_every_kind_of_source_has_a_sentence(page: Page, kind: str) -> None:
    """A name is preferred to a file; a kind that the page does not know has a sentence as well."""
    change_answer(page, "models/none", provenance={"source": {"kind": kind, "name": "a/b", "file": "c.pth"}})
    page.goto("/#models")
    key = "models.source.other" if " " in kind else f"models.source.{kind}"
    expect(page.get_by_role("article", name="none", exact=True)).to_contain_text(text(key, name="a/b"))

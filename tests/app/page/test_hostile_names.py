"""Names that are HTML, of a file, of classes and of all else that a checkpoint records: the page shows them as text."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from models import checkpoint
from tests.app.live_service import TINY, lively_network
from tests.app.page.address import link, note_dialogs
from tests.app.page.answers import ask, expect_classified, top
from tests.app.page.conftest import OpenTab
from tests.app.page.fool import button, result
from tests.app.page.pictures import PICTURES
from tests.app.page.service_process import ServiceProcess
from tests.app.page.texts import certainty, of_an_attack, text

pytestmark = pytest.mark.browser

FILE = "<img src=x onerror=alert(1)>.png"
CLASSES = ("<script>alert(1)</script>", '"><img src=x onerror=alert(2)>', "{label} & &lt;b&gt;", "javascript:alert(3)")
RECORDED = "<img src=x onerror=alert(4)>"
PROVENANCE = {
    "recipe": {"attack_steps": 0},
    "created": RECORDED,
    "data": {"name": RECORDED, "photos": {"train": [1, 2, 3, 4]}},
    "parent": {"name": RECORDED, "licence": RECORDED},
    "metrics": {
        "photos": 4,
        "correct": 3,
        "accuracy": 0.75,
        "per_class": {name: {"photos": 1, "accuracy": 0.0} for name in CLASSES},
        "mistaken": [{"class": CLASSES[0], "taken_for": CLASSES[1], "photos": 1}],
        "robustness": {"attack": RECORDED, "curve": [{"epsilon": 0.01, "accuracy": 0.5}]},
    },
}
PHOTO = (PICTURES / "chelsea.png").read_bytes()


@pytest.fixture(scope="module")
def hostile(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServiceProcess]:
    """Return a service whose only model has hostile names."""
    folder: Path = tmp_path_factory.mktemp("hostile")
    checkpoint.save(folder / "tiny.safetensors", lively_network(), replace(TINY, classes=CLASSES), PROVENANCE)
    with ServiceProcess(tmp_path_factory.mktemp("service"), checkpoints=folder) as process:
        yield process


@pytest.fixture
def opened(hostile: ServiceProcess, open_tab: OpenTab) -> Iterator[Page]:
    """Return a tab with a photo of a hostile name; at the end, nothing of the names may have become an element."""
    tab = open_tab(hostile)
    dialogs = note_dialogs(tab)
    tab.goto("/")
    tab.locator("input[type=file]").set_input_files({"name": FILE, "mimeType": "image/png", "buffer": PHOTO})
    expect(tab.get_by_role("img", name=text("see.photo-alt", name=FILE), exact=True)).to_be_visible()
    yield tab
    assert tab.locator("img[src=x], main script, main b, [onerror], a[href^=javascript]").count() == 0
    assert dialogs == []


def enter(tab: Page, room: str) -> None:
    """Walk into a room."""
    tab.get_by_role("navigation").get_by_role("link", name=text(f"room.{room}")).click()


def test_see_shows_the_names_as_text(opened: Page, hostile: ServiceProcess) -> None:
    expect_classified(opened, hostile, PHOTO)
    opened.get_by_role("list", name=text("bars.label")).get_by_role("button", name=CLASSES[1]).click()
    expect(opened.get_by_role("main")).to_contain_text(text("why.grad_cam", label=CLASSES[1]))
    opened.get_by_text(text("code.title")).click()
    expect(opened.get_by_label("curl", exact=True)).to_contain_text(f"'image=@{FILE}'")


def test_fool_reaches_a_target_with_such_a_name(opened: Page, hostile: ServiceProcess) -> None:
    """The second nearest of the other classes, to which an attack without a target would not lead."""
    enter(opened, "fool")
    nearest = ask(hostile, "/adversarial/targets", PHOTO)["nearest"]
    target = nearest[1]["label"]
    opened.get_by_role("group", name=text("fool.target", model="tiny")).get_by_role("radio", name=target).check()
    button(opened, "fool.start").click()
    label, probability = top(hostile, result(opened))
    assert label == target
    sentence = of_an_attack("fool.fooled", probability, model="tiny", label=target)
    expect(opened.get_by_role("main").get_by_text(sentence)).to_be_visible()
    button(opened, "prove.button").click()
    expect(opened.get_by_role("table")).to_contain_text(f"{target} {certainty(probability)}")


def test_imagine_draws_a_class_with_such_a_name(opened: Page) -> None:
    opened.goto(link("imagine", **{"class": CLASSES[1], "effort": "quick", "run": "1"}))
    name = text("ideal.alt", label=CLASSES[1], model="tiny")
    expect(opened.get_by_role("img", name=name, exact=True)).to_be_visible()


def test_models_shows_what_the_checkpoint_records_as_text(opened: Page) -> None:
    enter(opened, "models")
    main = opened.get_by_role("main")
    for name in CLASSES:
        expect(main).to_contain_text(name)
    expect(main).to_contain_text(text("models.origin.data", name=RECORDED))
    expect(main).to_contain_text(text("models.origin.created", date=RECORDED))
    expect(main).to_contain_text(text("models.origin.parent-licence", name=RECORDED, licence=RECORDED))

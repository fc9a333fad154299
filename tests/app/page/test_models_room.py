"""The room "Models": the figures of the bundled models, their cards as files, and the commands for one's own model."""

import json
import re
import shlex
import subprocess
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from models.store import BUNDLED
from tests.app.page.accessibility import violations
from tests.app.page.answers import change_answer
from tests.app.page.conftest import OpenTab, StartService
from tests.app.page.service_process import REPOSITORY, ServiceProcess
from tests.app.page.texts import text
from tests.app.page.watch import NOTE_SHIFTS, moved

pytestmark = pytest.mark.browser


def exhibit(tab: Page, model: str) -> Locator:
    """The part of the page about one model."""
    return tab.get_by_role("article", name=model, exact=True)


@pytest.mark.parametrize(
    ("model", "figures"),
    [
        (
            "cats-dogs",
            "99.2% / 2,380 of 2,399 / 98.8% to 99.5% / 0.0% to 3.7% / 256 × 256 / as usual / 0.4 percentage points / "
            "100 test photos / right on 99.1% of 1,199 photos. It took 11 of them for “dog” / November 22, 2026",
        ),
        (
            "cats-dogs-robust",
            "93.8% / 2,251 of 2,399 / 92.8% to 94.7% / 76.2% / 72.3% to 79.7% / 160 × 160 / up to 4 levels of 255 / "
            "1.2 percentage points / 500 test photos / 1,199 photos. It took 99 of them for “dog” / 11,194 photos",
        ),
    ],
)
def test_an_exhibit_has_the_figures_of_the_model_card(tab: Page, model: str, figures: str) -> None:
    tab.goto("/#models")
    for figure in figures.split(" / "):
        expect(exhibit(tab, model)).to_contain_text(figure)
    expect(exhibit(tab, model)).to_contain_text("Apache-2.0")


def test_charts_say_their_figures_and_have_equal_axes(tab: Page) -> None:
    """Bins without photos are left out: both models are never less than half sure of one of two classes."""
    tab.goto("/#models")
    usual, robust = exhibit(tab, "cats-dogs"), exhibit(tab, "cats-dogs-robust")
    attacked = (
        "95.6% within 0 levels; 93.4% within 1 level; 89.8% within 2 levels; 76.2% within 4 levels; 35.4% within 8"
    )
    expect(robust.get_by_role("img", name=attacked)).to_be_visible()
    expect(usual.get_by_role("img", name="99.8% sure on 2,359 photos, right on 99.5%")).to_be_visible()
    assert usual.locator(".charts section:first-child .dot").count() == 8
    labels = [model.locator(".chart-x").all_inner_texts() for model in (usual, robust)]
    assert labels[0] == labels[1]
    for model in (usual, robust):
        expect(model.locator(".chart-ticks span")).to_have_text(["0", "1", "2", "4", "8"])


@pytest.mark.parametrize(("photos", "differs"), [(500, True), (2_399, False)])
def test_a_curve_of_other_photos_than_the_accuracy_is_explained(
    tab: Page, service: ServiceProcess, photos: int, differs: bool
) -> None:
    """Budgets whose texts would overlap are left out below the chart."""
    metrics = service.client.get("/models/cats-dogs-robust").json()["metrics"]
    curve = [{"epsilon": levels / 255, "accuracy": 0.5} for levels in (0, 0.5, 1, 2, 4, 8, 16)]
    robustness = metrics["robustness"] | {"photos": photos, "curve": curve}
    change_answer(tab, "models/cats-dogs-robust", metrics=metrics | {"robustness": robustness})
    tab.goto("/#models")
    robust = exhibit(tab, "cats-dogs-robust")
    expect(robust.locator(".chart-ticks span")).to_have_text(["0", "2", "4", "8", "16"])
    expect(robust.get_by_text(text("models.robustness.fewer"))).to_have_count(int(differs))


def test_the_room_is_accessible(tab: Page) -> None:
    tab.goto("/#models?folder=my%20photos")
    expect(tab.get_by_role("heading", name="Train your own")).to_be_visible()
    assert violations(tab) == []


@pytest.mark.parametrize("width", [320, 1024, 2560])
def test_nothing_is_wider_than_the_window_and_nothing_moves(
    service: ServiceProcess, open_tab: OpenTab, width: int
) -> None:
    tab = open_tab(service, viewport={"width": width, "height": 800}, color_scheme="dark")
    tab.add_init_script(NOTE_SHIFTS)
    tab.goto("/#models")
    expect(tab.get_by_role("heading", name="Train your own")).to_be_visible()
    assert tab.evaluate("document.documentElement.scrollWidth") <= width
    assert moved(tab) == []
    assert violations(tab) == []


def test_a_model_is_chosen_by_the_keyboard_for_all_rooms(tab: Page) -> None:
    tab.goto("/#models")
    robust = exhibit(tab, "cats-dogs-robust")
    expect(exhibit(tab, "cats-dogs").get_by_role("button", name="This model is in use")).to_be_visible()
    robust.get_by_role("button", name="Use this model").focus()
    tab.keyboard.press("Enter")
    expect(robust.get_by_role("button", name="This model is in use")).to_be_focused()
    expect(tab.get_by_role("status")).to_have_text("All rooms now use cats-dogs-robust.")
    expect(tab.get_by_role("combobox", name="Model")).to_have_value("cats-dogs-robust")
    tab.get_by_role("link", name="See", exact=True).click()
    expect(tab).to_have_url(re.compile(r"#see\?model=cats-dogs-robust$"))


def test_a_weak_class_leads_to_its_ideal_picture(tab: Page) -> None:
    tab.goto("/#models")
    link = exhibit(tab, "cats-dogs-robust").get_by_role("link", name="Draw its ideal “cat”")
    expect(link).to_have_attribute("href", re.compile(r"^#imagine\?.*model=cats-dogs-robust.*class=cat"))


def test_the_model_card_is_downloaded_with_the_key(start_service: StartService, open_tab: OpenTab) -> None:
    tab = open_tab(start_service(api_keys="secret"))
    tab.add_init_script("sessionStorage.setItem('mirage-api-key', 'secret')")
    tab.goto("/#models")
    for _ in range(2):
        with tab.expect_download() as waiting:
            exhibit(tab, "cats-dogs").get_by_role("button", name="Download its model card").click()
        assert waiting.value.suggested_filename == "cats-dogs.md"
        assert Path(waiting.value.path()).read_bytes() == (BUNDLED / "cats-dogs.md").read_bytes()


def test_a_model_without_records_has_an_exhibit_without_figures(tab: Page) -> None:
    """One of torchvision's; its publisher reports the accuracy."""
    weights = {"parent": {"name": "torchvision Weights.V1"}}
    published = {"ImageNet-1K": {"acc@1": 71.878}}
    change_answer(tab, "models/cats-dogs-robust", metrics=published, provenance=weights, card=False)
    tab.goto("/#models")
    plain = exhibit(tab, "cats-dogs-robust")
    expect(plain).to_contain_text("It has the weights torchvision Weights.V1")
    expect(plain).to_contain_text("right on 71.9% of the test photos of ImageNet-1K")
    expect(plain.get_by_role("img")).to_have_count(0)
    expect(plain.get_by_role("button")).to_have_count(1)
    expect(exhibit(tab, "cats-dogs")).to_contain_text("99.2%")


@pytest.mark.parametrize(
    "missing", ["interval", "reliability", "robustness", "per_class", "ece", "mistaken", "correct"]
)
def test_an_older_record_lacks_a_key(tab: Page, service: ServiceProcess, missing: str) -> None:
    metrics = service.client.get("/models/cats-dogs").json()["metrics"]
    change_answer(tab, "models/cats-dogs", metrics={key: value for key, value in metrics.items() if key != missing})
    tab.goto("/#models")
    expect(exhibit(tab, "cats-dogs")).to_contain_text("99.2%")
    expect(exhibit(tab, "cats-dogs")).to_contain_text("What it learned from")
    expect(exhibit(tab, "cats-dogs-robust")).to_contain_text("76.2%")


def test_a_model_that_is_not_ready_says_why(tab: Page, service: ServiceProcess) -> None:
    """The list is asked for until nothing is being loaded any more."""
    usual, robust = service.client.get("/models").json()["models"]
    nothing = dict.fromkeys(set(usual) - {"name", "state", "problem"})
    loading = [usual | nothing | {"state": "loading"}, robust | nothing | {"state": "failed", "problem": "no file"}]
    change_answer(tab, "models", models=loading)
    tab.goto("/#models")
    expect(exhibit(tab, "cats-dogs")).to_contain_text("still loading this model")
    expect(exhibit(tab, "cats-dogs-robust")).to_contain_text("no file")
    expect(tab.get_by_role("button", name="Use this model")).to_have_count(0)
    tab.unroute("**/models")
    expect(exhibit(tab, "cats-dogs")).to_contain_text("99.2%")


@pytest.mark.parametrize(
    ("folder", "data", "model"),
    [
        ("flowers", "flowers", "flowers"),
        ("my photos", "my photos", "my-photos"),
        ("it's & (more); #1.zip", "it's & (more); #1.zip", "it-s-more-1"),
        ("котки и кучета", "котки и кучета", "котки-и-кучета"),
        ("~/my photos", "/home/me/my photos", "my-photos"),
        ("-rf", "./-rf", "rf"),
        ("/data/cats-dogs/", "/data/cats-dogs/", "cats-dogs-2"),
        ('say "$(date)"', 'say "$(date)"', "say-date"),
        ("a\\`b`.tar.gz", "a\\`b`.tar.gz", "b"),
        ("..", "..", "mine"),
    ],
)
def test_a_shell_reads_the_command_as_it_was_meant(tab: Page, folder: str, data: str, model: str) -> None:
    """Where make has a part in it, its dry run says what it would start."""
    tab.goto("/#models")
    tab.get_by_label("Name of your folder or zip file").fill(folder)
    expect(tab.get_by_text(f"the model “{model}” is on display")).to_be_visible()
    command = tab.get_by_label("Train the model").inner_text()
    if command.startswith("make "):
        environment = {"PATH": "/usr/bin:/bin", "HOME": "/home/me", "LC_ALL": "C.UTF-8"}
        dry = ["sh", "-c", f'make() {{ command make --dry-run --silent "$@"; }}; {command}']
        printed = subprocess.run(dry, cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=True)
        command = next(line for line in printed.stdout.splitlines() if " training fit " in line)
    words = shlex.split(command)
    assert words[words.index("fit") + 1 :] == [data, "--output", f"models/checkpoints/{model}.safetensors"]
    tab.reload()
    expect(tab.get_by_label("Name of your folder or zip file")).to_have_value(folder)


def test_a_link_cannot_smuggle_in_what_nobody_sees(tab: Page) -> None:
    """Control characters end a pasted line, and others change the order in which a line is shown."""
    tab.goto("/#models?folder=a%0Ab%1B%5B201~%E2%80%AEc")
    expect(tab.get_by_label("Train the model")).to_contain_text("DATA='ab[201~c'")


def test_a_command_is_copied(service: ServiceProcess, open_tab: OpenTab) -> None:
    tab = open_tab(service, permissions=["clipboard-read", "clipboard-write"])
    tab.goto("/#models?folder=my%20photos")
    tab.get_by_role("button", name="Copy the first command").click()
    expect(tab.get_by_role("main").get_by_text("Copied")).to_be_visible()
    copied = "make train DATA='my photos' OUTPUT=models/checkpoints/my-photos.safetensors"
    assert tab.evaluate("navigator.clipboard.readText()") == copied


def test_every_text_of_the_room_is_there() -> None:
    """A key without a text would be shown as it is."""
    page = REPOSITORY / "app/page/files"
    texts = json.loads((page / "languages/en.json").read_text(encoding="utf-8"))
    scripts = "".join(file.read_text(encoding="utf-8") for file in (page / "scripts/rooms/models").glob("*.js"))
    keys = set(re.findall(r'"((?:models|train)\.[\w.-]+)"', scripts))
    assert keys and keys <= texts.keys()

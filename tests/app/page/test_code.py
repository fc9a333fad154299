"""The code that the page shows: run as it stands there, it does what the page has just done."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.app.page.address import link
from tests.app.page.answers import ask, wait_until_idle
from tests.app.page.fool import result
from tests.app.page.pictures import CHELSEA, levels, shown_file
from tests.app.page.service_process import ServiceProcess
from tests.app.page.texts import text

pytestmark = pytest.mark.browser


def code(tab: Page, language: str) -> str:
    """The code in a language, `curl` or `Python`, from the fold that is open by the address."""
    block = tab.get_by_label(language, exact=True)
    expect(block).to_be_visible()
    return block.inner_text()


def run(command: list[str], folder: Path) -> str:
    """Run a command in a folder, and return what it has printed."""
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_python_code_classifies_as_the_page_does(tab: Page, service: ServiceProcess, tmp_path: Path) -> None:
    tab.goto(link("see", code="1"))
    printed = run([sys.executable, "-c", code(tab, "Python")], tmp_path)
    assert (tmp_path / "chelsea.jpg").read_bytes() == CHELSEA
    assert printed.strip() == repr(ask(service, "/classify", CHELSEA, model="cats-dogs", top=5))


@pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl")
def test_the_curl_command_fools_the_model_as_the_page_does(tab: Page, service: ServiceProcess, tmp_path: Path) -> None:
    """Nothing else may be at work meanwhile: the size of a batch decides how sums are rounded."""
    wait_until_idle(service)
    tab.goto(link("fool", mode="budget", budget="2", code="1", run="1"))
    shown = result(tab)
    wait_until_idle(service)
    run(["sh", "-c", code(tab, "curl")], tmp_path)
    assert (levels((tmp_path / "fooled.png").read_bytes()) == levels(shown)).all()


@pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl")
@pytest.mark.parametrize("language", ["curl", "Python"])
def test_the_code_draws_the_picture_that_the_page_shows(tab: Page, tmp_path: Path, language: str) -> None:
    tab.goto(link("imagine", seed="5", code="1", effort="quick", run="1", **{"class": "dog"}))
    command = code(tab, language)
    run(["sh", "-c", command] if language == "curl" else [sys.executable, "-c", command], tmp_path)
    image = tab.get_by_role("img", name=text("ideal.alt", label="dog", model="cats-dogs"), exact=True)
    (file,) = tmp_path.iterdir()
    assert (levels(file.read_bytes()) == levels(shown_file(image))).all()


@pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl")
@pytest.mark.parametrize("name", ["my cat, dog.jpg", "a;type=x.jpg", 'it\'s $(id) \\ "x".jpg'])
def test_a_photo_of_any_name_can_be_sent_by_the_command(tab: Page, tmp_path: Path, name: str) -> None:
    """curl and the shell each have signs of their own, which a file's name may contain."""
    (tmp_path / name).write_bytes(CHELSEA)
    tab.goto(link("see", code="1"))
    tab.locator("input[type=file]").set_input_files({"name": name, "mimeType": "image/jpeg", "buffer": CHELSEA})
    expect(tab.get_by_role("img", name=text("see.photo-alt", name=name), exact=True)).to_be_visible()
    answer = json.loads(run(["sh", "-c", code(tab, "curl")], tmp_path))
    assert (answer["predictions"][0]["label"], answer["width"]) == ("cat", 451)

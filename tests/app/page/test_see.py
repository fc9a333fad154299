"""The room See: how a photo comes into the page, what the model sees in it, why, and what its layers make of it."""

from collections.abc import Callable

import numpy as np
import pytest
from playwright.sync_api import Locator, Page, expect

from tests.app.page.address import link, values_of
from tests.app.page.answers import ask, expect_classified
from tests.app.page.pictures import CHELSEA, PICTURES, file_of, levels, redrawn, sample, shown_file, transfer
from tests.app.page.service_process import ServiceProcess
from tests.app.page.texts import text

pytestmark = pytest.mark.browser

PASTE = (
    "(transfer) => document.body.dispatchEvent(new ClipboardEvent('paste', {clipboardData: transfer, bubbles: true}))"
)


@pytest.fixture
def see(tab: Page) -> Page:
    """Return a tab in which the page has just been opened."""
    tab.goto("/")
    return tab


def photo(tab: Page, name: str) -> Locator:
    """The photo that is looked at, by the name of its file."""
    return tab.get_by_role("img", name=text("see.photo-alt", name=name), exact=True)


def strip(tab: Page) -> Locator:
    """The pictures of the layers, once all are there: the service then works on nothing else."""
    pictures = tab.get_by_role("group", name=text("layers.strip")).locator("button img")
    expect(pictures).to_have_count(10)
    return pictures


def overlay(tab: Page, label: str) -> Locator:
    """The heat map over the photo that explains a class."""
    return tab.get_by_role("img", name=text("why.alt", label=label), exact=True)


def test_the_page_opens_with_a_classified_photo_and_classifies_another_sample(
    see: Page, service: ServiceProcess
) -> None:
    expect(photo(see, "chelsea.jpg")).to_be_visible()
    expect_classified(see, service, CHELSEA)
    see.get_by_role("button", name=text("sample.drawn-dog")).click()
    expect(photo(see, "drawn-dog.jpg")).to_be_visible()
    expect_classified(see, service, sample("drawn-dog.jpg"))


def upload(tab: Page, name: str) -> None:
    tab.locator("input[type=file]").set_input_files(PICTURES / name)


def paste(tab: Page, name: str) -> None:
    tab.evaluate(PASTE, transfer(tab, PICTURES / name))


def drop(tab: Page, name: str) -> None:
    tab.get_by_role("heading", level=1).dispatch_event("drop", {"dataTransfer": transfer(tab, PICTURES / name)})


@pytest.mark.parametrize(("give", "name"), [(upload, "chelsea.png"), (paste, "fooled.png"), (drop, "ideal-dog.png")])
def test_a_photo_of_ones_own_is_classified(
    see: Page, service: ServiceProcess, give: Callable[[Page, str], None], name: str
) -> None:
    expect(photo(see, "chelsea.jpg")).to_be_visible()
    give(see, name)
    expect(photo(see, name)).to_be_visible()
    expect_classified(see, service, (PICTURES / name).read_bytes())


def test_the_camera_takes_a_photo(see: Page, service: ServiceProcess) -> None:
    """Chromium draws what the camera sees. The photo is a PNG, so that drawing it anew changes no pixel."""
    see.get_by_role("button", name=text("camera.open")).click()
    view = see.get_by_label(text("camera.view"))
    see.wait_for_function("(video) => video.videoWidth > 0", arg=view.element_handle())
    see.get_by_role("button", name=text("camera.take")).click()
    expect(view).to_be_hidden()
    expect_classified(see, service, redrawn(photo(see, "camera.png")))


def test_a_file_that_is_no_picture_is_refused_with_the_reason_and_the_photo_stays(
    see: Page, service: ServiceProcess, expected_errors: list[str]
) -> None:
    expected_errors.append("status of 415")
    expect_classified(see, service, CHELSEA)
    see.locator("input[type=file]").set_input_files({"name": "x.png", "mimeType": "image/png", "buffer": b"a text"})
    refusal = service.client.post("/classify", files={"image": b"a text"})
    assert refusal.status_code == 415
    notice = see.get_by_role("alert")
    expect(notice).to_contain_text(text("problem.not-a-picture"))
    expect(notice).to_contain_text(refusal.json()["detail"])
    expect(photo(see, "chelsea.jpg")).to_be_visible()
    expect_classified(see, service, CHELSEA)


def test_why_shows_the_explanation_of_the_service_for_each_class_and_method(see: Page, service: ServiceProcess) -> None:
    """SmoothGrad averages over noisy photos, whose division into batches decides on its last digits."""
    strip(see)
    see.get_by_role("radio", name=text("why.why")).check()
    explained = ask(service, "/explain", CHELSEA, format="json")
    assert explained["target"]["label"] == "cat"
    assert shown_file(overlay(see, "cat")) == file_of(explained["image"])
    expect(see.get_by_role("main")).to_contain_text(text("why.grad_cam", label="cat"))

    see.get_by_role("list", name=text("bars.label")).get_by_role("button", name="dog").click()
    assert shown_file(overlay(see, "dog")) == file_of(
        ask(service, "/explain", CHELSEA, format="json", target="dog")["image"]
    )

    see.get_by_role("radio", name=text("why.method.smooth_grad")).check()
    expect(see.get_by_role("main")).to_contain_text(text("why.smooth_grad", label="dog"))
    smooth = ask(service, "/explain", CHELSEA, format="json", target="dog", method="smooth_grad")
    assert np.abs(levels(shown_file(overlay(see, "dog"))) - levels(file_of(smooth["image"]))).max() <= 4


def test_the_slider_sets_the_opacity_of_the_explanation_and_the_address_keeps_it(see: Page) -> None:
    see.get_by_role("radio", name=text("why.why")).check()
    expect(overlay(see, "cat")).not_to_have_css("opacity", "0.3")
    see.get_by_role("slider", name=text("why.opacity")).fill("30")
    expect(overlay(see, "cat")).to_have_css("opacity", "0.3")
    see.reload()
    expect(overlay(see, "cat")).to_have_css("opacity", "0.3")


def test_the_strip_shows_the_strongest_map_of_each_layer(see: Page, service: ServiceProcess) -> None:
    """The strip has ten layers of this network, the last of which is the one named features."""
    pictures = strip(see)
    for place, layer in [(0, "features.0"), (9, "features")]:
        answer = ask(service, "/features", CHELSEA, layer=layer, channels=1, separate=True, format="json")
        assert shown_file(pictures.nth(place)) == file_of(answer["maps"][0]["image"])


@pytest.mark.parametrize("layer", ["features.0", "features.6", "features"])
def test_the_chosen_layer_is_within_the_strip_on_a_narrow_screen(tab: Page, layer: str) -> None:
    tab.set_viewport_size({"width": 375, "height": 812})
    tab.goto(link("see", layer=layer))
    strip(tab)
    group = tab.get_by_role("group", name=text("layers.strip"))
    chosen = group.get_by_role("button", pressed=True)
    expect(chosen).to_contain_text(layer)
    edges = [place.bounding_box() for place in (group, chosen)]
    assert edges[0] and edges[1]
    assert edges[0]["x"] <= edges[1]["x"]
    assert edges[1]["x"] + edges[1]["width"] <= edges[0]["x"] + edges[0]["width"] + 0.5
    assert tab.evaluate("scrollY") == 0


def test_a_layer_shows_its_maps_and_one_of_them_enlarged(see: Page, service: ServiceProcess) -> None:
    """The maps come in the order of POST /features, the strongest first. A link asks what a channel looks for."""
    strip(see)
    answer = ask(service, "/features", CHELSEA, layer="features.17", channels=24, separate=True, format="json")
    see.get_by_role("button", name="features.17").click()
    maps = see.get_by_role("group", name=text("layers.maps")).get_by_role("button")
    expect(maps).to_have_text([str(channel) for channel in answer["shown"]])
    assert [shown_file(image) for image in maps.locator("img").all()] == [
        file_of(one["image"]) for one in answer["maps"]
    ]

    third = answer["maps"][2]
    maps.nth(2).click()
    alt = text("layers.map-alt", channel=str(third["channel"]), layer="features.17")
    assert shown_file(see.get_by_role("img", name=alt, exact=True)) == file_of(third["image"])
    see.get_by_role("link", name=text("layers.imagine")).click()
    assert values_of(see, "imagine").items() >= {"layer": "features.17", "channel": str(third["channel"])}.items()

"""Films: which steps they show, how large, how long, and that others can play them."""

import io

import pytest
import torch
from PIL import Image
from torch import Tensor

from app.ideal.film import FRAME_MS, LAST_MS, MAX_FRAMES, SIDE, Film
from models.query import Progress

FORMATS = ["webp", "gif"]


def flat(*levels: int, height: int = 24, width: int = 32) -> Tensor:
    """A picture of one colour, uint8."""
    return torch.tensor(levels, dtype=torch.uint8).reshape(3, 1, 1).expand(3, height, width).contiguous()


def quarters() -> Tensor:
    """Red, green, blue and white."""
    picture = torch.zeros(3, 24, 32, dtype=torch.uint8)
    for channel, (top, left) in enumerate([(0, 0), (0, 16), (12, 0)]):
        picture[channel, top : top + 12, left : left + 16] = 255
    picture[:, 12:, 16:] = 255
    return picture


def film_of(shades: list[int]) -> Film:
    film = Film()
    for number, shade in enumerate(shades):
        film.add(Progress(number + 1, len(shades), picture=flat(shade, 0, 255 - shade) / 255))
    return film


def frames(film: bytes) -> list[tuple[Image.Image, int]]:
    """Each frame in RGB, with its milliseconds."""
    opened = Image.open(io.BytesIO(film))
    shown_frames = []
    for number in range(getattr(opened, "n_frames", 1)):
        opened.seek(number)
        opened.load()
        shown_frames.append((opened.convert("RGB"), opened.info["duration"]))
    return shown_frames


def difference(image: Image.Image, picture: Tensor) -> float:
    """Mean difference in levels."""
    expected = picture.permute(1, 2, 0).numpy().tobytes()
    return sum(abs(one - other) for one, other in zip(image.tobytes(), expected, strict=True)) / len(expected)


@pytest.mark.parametrize(
    ("steps", "shown"),
    [
        (1, [1]),
        (5, [1, 2, 3, 4, 5]),
        (MAX_FRAMES, list(range(1, MAX_FRAMES + 1))),
        (MAX_FRAMES + 1, list(range(1, MAX_FRAMES + 2, 2))),
        (2 * MAX_FRAMES, list(range(1, 2 * MAX_FRAMES, 2))),
        (2000, list(range(1, 2001, 21))),
    ],
)
def test_the_steps_that_are_shown(steps: int, shown: list[int]) -> None:
    """Every one up to MAX_FRAMES, else every second, third, ... from the first on; no other preview is drawn."""
    film, drawn = Film(), []

    def preview(step: int) -> Tensor:
        drawn.append(step)
        return torch.full((3, 4, 4), step / steps)

    for step in range(1, steps + 1):
        film.add(Progress(step, steps, picture=lambda step=step: preview(step)))
    assert drawn == shown and len(film.frames) == len(shown) <= MAX_FRAMES
    expected = [round(255 * step / steps) for step in shown]
    assert [int(frame[0, 0, 0]) for frame in film.frames] == pytest.approx(expected, abs=1)


def test_steps_without_a_preview_leave_no_frame() -> None:
    film = Film()
    film.add(Progress(1, 2))
    assert film.frames == []
    assert len(frames(film.encode(quarters(), format="webp"))) == 1


def test_a_film_is_incomplete_where_a_frame_is_lost() -> None:
    """The engine does not call a listener again that has raised an exception."""
    film = Film()
    film.add(Progress(1, 3, picture=torch.zeros(3, 4, 4)))
    assert not film.incomplete

    def preview() -> Tensor:
        raise MemoryError

    with pytest.raises(MemoryError):
        film.add(Progress(2, 3, picture=preview))
    assert film.incomplete and len(film.frames) == 1


@pytest.mark.parametrize(
    ("height", "width", "size"),
    [(400, 800, (320, 160)), (1024, 512, (160, 320)), (320, 320, (320, 320)), (24, 32, (32, 24))],
)
@pytest.mark.parametrize("format", FORMATS)
def test_no_side_is_longer_than_the_bound(format: str, height: int, width: int, size: tuple[int, int]) -> None:
    """In its proportions; what is small already stays as it is."""
    film = Film()
    for step in (1, 2):
        film.add(Progress(step, 2, picture=torch.full((3, height, width), step / 3)))
    file = film.encode(flat(9, 9, 9, height=height, width=width), format=format)
    assert {image.size for image, _ in frames(file)} == {size} and max(size) <= SIDE


@pytest.mark.parametrize("format", FORMATS)
def test_it_plays_frame_by_frame_and_holds_the_picture(format: str) -> None:
    shown_frames = frames(film_of([0, 60, 120, 180, 240]).encode(quarters(), format=format))
    assert [duration for _, duration in shown_frames] == [FRAME_MS] * 5 + [LAST_MS]
    assert difference(shown_frames[-1][0], quarters()) < 6, "lossy, or of the picture's own colours"


def test_frames_are_the_steps_in_order() -> None:
    """The first is nearly blue, the last before the picture nearly red."""
    shades = [0, 60, 120, 180, 240]
    shown_frames = frames(film_of(shades).encode(quarters(), format="webp"))
    for (image, _), shade in zip(shown_frames[:-1], shades, strict=True):
        assert difference(image, flat(shade, 0, 255 - shade)) < 6


def test_the_last_frame_of_a_gif_of_few_colours_is_exact() -> None:
    assert difference(frames(film_of([0, 99]).encode(quarters(), format="gif"))[-1][0], quarters()) == 0


@pytest.mark.parametrize(("format", "kind"), [("webp", "WEBP"), ("gif", "GIF")])
def test_it_is_of_its_format_and_plays_for_ever(format: str, kind: str) -> None:
    opened = Image.open(io.BytesIO(film_of([0, 120]).encode(quarters(), format=format)))
    assert (opened.format, opened.is_animated, opened.info["loop"]) == (kind, True, 0)  # type: ignore[attr-defined]


@pytest.mark.parametrize("format", FORMATS)
def test_an_ascent_that_stands_still_takes_its_time_too(format: str) -> None:
    """A GIF shows frames that are alike as one, for as long as all of them."""
    shown_frames = frames(film_of([0, 120, 120, 120]).encode(flat(120, 0, 135), format=format))
    assert sum(duration for _, duration in shown_frames) == 4 * FRAME_MS + LAST_MS

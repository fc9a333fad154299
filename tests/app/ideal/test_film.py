"""Tests films of an ascent: their frames, size, duration and file formats."""

import io

import pytest
import torch
from PIL import Image
from torch import Tensor

from app.ideal.film import FRAME_MS, LAST_MS, MAX_FRAMES, SIDE, Film
from models.query import Progress

FORMATS = ["webp", "gif"]


def flat(*levels: int, height: int = 24, width: int = 32) -> Tensor:
    """Return a uint8 picture of one colour."""
    return torch.tensor(levels, dtype=torch.uint8).reshape(3, 1, 1).expand(3, height, width).contiguous()


def quarters() -> Tensor:
    """Return a picture whose quarters are red, green, blue and white."""
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
    """Decode a film to its frames in RGB with their durations in ms."""
    opened = Image.open(io.BytesIO(film))
    shown_frames = []
    for number in range(getattr(opened, "n_frames", 1)):
        opened.seek(number)
        opened.load()
        shown_frames.append((opened.convert("RGB"), opened.info["duration"]))
    return shown_frames


def difference(image: Image.Image, picture: Tensor) -> float:
    """Return the mean absolute difference in levels."""
    expected_levels = picture.permute(1, 2, 0).numpy().tobytes()
    return sum(
        abs(level - expected_level) for level, expected_level in zip(image.tobytes(), expected_levels, strict=True)
    ) / len(expected_levels)


@pytest.mark.parametrize(
    ("steps", "expected_steps"),
    [
        (1, [1]),
        (5, [1, 2, 3, 4, 5]),
        (MAX_FRAMES, list(range(1, MAX_FRAMES + 1))),
        (MAX_FRAMES + 1, list(range(1, MAX_FRAMES + 2, 2))),
        (2 * MAX_FRAMES, list(range(1, 2 * MAX_FRAMES, 2))),
        (2000, list(range(1, 2001, 21))),
    ],
)
def test_a_film_shows_at_most_max_frames_evenly_spaced_steps(steps: int, expected_steps: list[int]) -> None:
    """Up to MAX_FRAMES steps are all shown, of more every second, third, and so on; other previews are not drawn."""
    film, drawn_steps = Film(), []

    def preview(step: int) -> Tensor:
        drawn_steps.append(step)
        return torch.full((3, 4, 4), step / steps)

    for step in range(1, steps + 1):
        film.add(Progress(step, steps, picture=lambda step=step: preview(step)))
    assert drawn_steps == expected_steps and len(film.frames) == len(expected_steps) <= MAX_FRAMES
    expected = [round(255 * step / steps) for step in expected_steps]
    assert [int(frame[0, 0, 0]) for frame in film.frames] == pytest.approx(expected, abs=1)


def test_steps_without_a_preview_leave_no_frame() -> None:
    film = Film()
    film.add(Progress(1, 2))
    assert film.frames == []
    assert len(frames(film.encode(quarters(), format="webp"))) == 1


def test_a_film_is_incomplete_if_a_frame_fails() -> None:
    """The engine does not call a listener again after it has raised, so later frames are missing."""
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
def test_frames_are_reduced_to_the_largest_side(format: str, height: int, width: int, size: tuple[int, int]) -> None:
    """Proportions are unchanged, and smaller pictures are not resized."""
    film = Film()
    for step in (1, 2):
        film.add(Progress(step, 2, picture=torch.full((3, height, width), step / 3)))
    file = film.encode(flat(9, 9, 9, height=height, width=width), format=format)
    assert {image.size for image, _ in frames(file)} == {size} and max(size) <= SIDE


@pytest.mark.parametrize("format", FORMATS)
def test_a_film_ends_with_the_picture_shown_for_longer(format: str) -> None:
    shown_frames = frames(film_of([0, 60, 120, 180, 240]).encode(quarters(), format=format))
    assert [duration for _, duration in shown_frames] == [FRAME_MS] * 5 + [LAST_MS]
    assert difference(shown_frames[-1][0], quarters()) < 6, "the format is lossy or has few colours"


def test_frames_are_the_steps_in_order() -> None:
    """The colour of every frame is known: from blue to nearly red."""
    shades = [0, 60, 120, 180, 240]
    shown_frames = frames(film_of(shades).encode(quarters(), format="webp"))
    for (image, _), shade in zip(shown_frames[:-1], shades, strict=True):
        assert difference(image, flat(shade, 0, 255 - shade)) < 6


def test_the_last_frame_of_a_gif_of_few_colours_is_exact() -> None:
    assert difference(frames(film_of([0, 99]).encode(quarters(), format="gif"))[-1][0], quarters()) == 0


@pytest.mark.parametrize(("format", "kind"), [("webp", "WEBP"), ("gif", "GIF")])
def test_a_film_has_its_format_and_repeats_forever(format: str, kind: str) -> None:
    opened = Image.open(io.BytesIO(film_of([0, 120]).encode(quarters(), format=format)))
    assert (opened.format, opened.is_animated, opened.info["loop"]) == (kind, True, 0)  # type: ignore[attr-defined]


@pytest.mark.parametrize("format", FORMATS)
def test_equal_frames_do_not_shorten_a_film(format: str) -> None:
    """A GIF merges equal frames into one, which is shown for the sum of their durations."""
    shown_frames = frames(film_of([0, 120, 120, 120]).encode(flat(120, 0, 135), format=format))
    assert sum(duration for _, duration in shown_frames) == 4 * FRAME_MS + LAST_MS

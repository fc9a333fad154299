"""The options of `import`: sizes, numbers and colours, what they change in a spec, and the command that has them."""

import shlex
from dataclasses import replace
from pathlib import Path

import pytest

from models.spec import BadSpec, Spec
from training.data.options import DataOptions
from training.importing.model import BadSource
from training.importing.options import ImportOptions, SpecOptions, parse_numbers, parse_size

SPEC = Spec("resnet18", ("cat", "dog"), input_size=224, resize=256)


@pytest.mark.parametrize(
    ("text", "size"),
    [("224", 224), (" 224 ", 224), ("224x224", 224), ("48x80", (48, 80)), ("48X80", (48, 80)), ("48 × 80", (48, 80))],
)
def test_a_size_is_a_side_or_height_and_width(text: str, size: int | tuple[int, int]) -> None:
    assert parse_size("input_size", text) == size


@pytest.mark.parametrize("text", ["", "x", "224x", "1x2x3", "-5", "2.5", "large", "9" * 5000, "²", "٢"])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(BadSource, match="--input-size is a number of pixels, or HEIGHTxWIDTH, not") as refused:
        parse_size("input_size", text)
    assert len(str(refused.value)) < 300


def test_one_number_stands_for_all_channels() -> None:
    assert parse_numbers("mean", "0.5", 3) == (0.5, 0.5, 0.5)
    assert parse_numbers("mean", "0.1, 0.2,0.3", 3) == (0.1, 0.2, 0.3)
    with pytest.raises(BadSource, match="--std takes one number, or one for each of the 3 channels, not 2"):
        parse_numbers("std", "0.1,0.2", 3)
    for text in ("", "a,b,c", "0.1,,0.2", "0.1;0.2"):
        with pytest.raises(BadSource, match="--mean takes numbers with commas between them"):
            parse_numbers("mean", text, 3)


def test_the_normalisation_is_that_of_pixels_from_0_to_1() -> None:
    """That of pixels up to 255 would make nearly the same input of every picture."""
    for name, values in (("mean", "123.675,116.28,103.53"), ("std", "58.4,57.1,57.4"), ("mean", "-127.5")):
        with pytest.raises(
            BadSource, match=f"--{name} is for pixels from 0 to 1, and .* divide --mean and --std by 255"
        ):
            SpecOptions(**{name: values}).apply(SPEC)


def test_each_option_changes_its_field() -> None:
    options = SpecOptions(
        input_size="160x192",
        resize="200x240",
        resize_mode="squash",
        interpolation="bicubic",
        antialias=False,
        mean="0.5",
        std="0.1,0.2,0.3",
        colours="BGR",
        padding="0,0.5,1",
        outputs="probabilities",
        multi_label=True,
        background=True,
    )
    assert options.apply(SPEC) == replace(
        SPEC,
        input_size=(160, 192),
        resize=(200, 240),
        resize_mode="squash",
        interpolation="bicubic",
        antialias=False,
        mean=(0.5,) * 3,
        std=(0.1, 0.2, 0.3),
        colours="BGR",
        padding=(0.0, 0.5, 1.0),
        outputs="probabilities",
        multi_label=True,
        background=True,
    )
    assert SpecOptions().apply(SPEC) == SPEC


@pytest.mark.parametrize(
    ("size", "resize"), [("112", 128), ("448", 512), ("112x224", (128, 256)), ("100", 114)], ids=str
)
def test_another_input_is_resized_in_the_same_proportion(size: str, resize: int | tuple[int, int]) -> None:
    """256 of 224 is 8/7: 100 pixels are cut from 114. A size that is given is taken as it is."""
    assert SpecOptions(input_size=size).apply(SPEC).resize == resize
    assert SpecOptions(input_size=size, resize="600").apply(SPEC).resize == 600


def test_other_channels_get_the_mean_of_the_colours() -> None:
    """The mean of 0.485, 0.456 and 0.406 is 0.449; opacity is 1 everywhere, and stays so."""
    grey = SpecOptions(colours="L").apply(SPEC)
    assert (grey.channel_names, grey.channels) == ("L", 1) and grey.mean == pytest.approx((0.449,))
    assert grey.std == pytest.approx((0.226,))
    opaque = SpecOptions(colours="BGRA").apply(SPEC)
    assert opaque.channel_names == "BGRA" and opaque.mean == (*SPEC.mean, 0.0) and opaque.std == (*SPEC.std, 1.0)
    assert SpecOptions(colours="L", mean="0.2", std="0.3").apply(SPEC).mean == (0.2,)


@pytest.mark.parametrize("colours", ["", "rgb", "RGBX", "GBR", "RGBRGBRGB", "X" * 1000])
def test_unknown_colours_are_refused(colours: str) -> None:
    with pytest.raises(BadSource, match="--colours is one of RGB, BGR, RGBA, BGRA, L, LA, not"):
        SpecOptions(colours=colours).apply(SPEC)


@pytest.mark.parametrize(
    "options",
    [
        SpecOptions(input_size="8"),
        SpecOptions(input_size="4096"),
        SpecOptions(resize="100"),
        SpecOptions(resize_mode="stretch"),
        SpecOptions(interpolation="cubic"),
        SpecOptions(mean="nan"),
        SpecOptions(mean="1e999"),
        SpecOptions(std="0"),
        SpecOptions(padding="0,0,2"),
    ],
    ids=lambda options: " ".join(options.words()),
)
def test_values_with_which_no_network_can_be_used_are_refused(options: SpecOptions) -> None:
    with pytest.raises(BadSpec):
        options.apply(SPEC)


def test_only_what_is_about_pictures_changes_the_preprocessing() -> None:
    """After these the preprocessing of the source library is no measure any more."""
    assert all(
        options.is_empty
        for options in (SpecOptions(), SpecOptions(outputs="logits", multi_label=True), SpecOptions(background=True))
    )
    about_pictures = {"input_size", "resize", "resize_mode", "interpolation", "mean", "std", "colours", "padding"}
    for name in about_pictures:
        assert not SpecOptions(**{name: "1"}).is_empty  # type: ignore[arg-type]
    assert not SpecOptions(antialias=False).is_empty


def test_the_command_has_names_in_place_of_paths(tmp_path: Path) -> None:
    """It is in the model card, which anybody may read; pasted beside the files it does the same again."""
    for name in ("weights of mine.pth", "names.txt"):
        (tmp_path / name).touch()
    options = ImportOptions(
        source=str(tmp_path / "weights of mine.pth"),
        output=tmp_path / "deep" / "mine.safetensors",
        architecture="timm/vit_tiny_patch16_224",
        classes=str(tmp_path / "names.txt"),
        licence="MIT",
        check=tmp_path / "photos",
        photos=50,
        anyway=True,
        overwrite=True,
        renamed={"a folder": "cat"},
        spec=SpecOptions(input_size="48x80", antialias=False, mean="0.5", multi_label=True),
        data_options=DataOptions(exclude=("*.gif",)),
    )
    assert shlex.split(options.command()) == [
        *("python", "-m", "training", "import", "weights of mine.pth", "--output", "mine.safetensors"),
        *("--architecture", "timm/vit_tiny_patch16_224", "--classes", "names.txt", "--licence", "MIT"),
        *("--check", "photos", "--photos", "50", "--anyway", "--rename", "a folder=cat"),
        *("--input-size", "48x80", "--no-antialias", "--mean", "0.5", "--multi-label", "--exclude", "*.gif"),
    ]
    assert str(tmp_path) not in options.command()


def test_a_command_without_options_is_short(tmp_path: Path) -> None:
    """Names that are no files stay as they are; `--antialias` is the positive switch."""
    options = ImportOptions(source="timm/resnet18", output=Path("out.safetensors"), classes="cat,dog")
    assert options.command() == "python -m training import timm/resnet18 --output out.safetensors --classes cat,dog"
    assert SpecOptions(antialias=True).words() == ["--antialias"]

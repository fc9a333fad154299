"""What transformers' image processors do to a picture, in the fields of a spec."""

from collections.abc import Mapping
from typing import Any

from training.importing.model import BadSource

INTERPOLATIONS = {0: "nearest", 1: "lanczos", 2: "bilinear", 3: "bicubic", 4: "box", 5: "hamming"}
"""Pillow's numbers of the interpolations."""
WARPS_FROM = 384
"""From this size on, ConvNeXt's processor squashes the picture instead of cropping it."""


def preprocessing_fields(processor: Any, channels: int) -> dict[str, Any]:
    """The fields of a models.spec.Spec that describe the processor; raises BadSource for one that does something else.

    Whether the description is right is measured on photos afterwards (training/importing/agreement.py).
    """
    values = processor.to_dict()
    try:
        return _fields(type(processor).__name__, values, channels)
    except (TypeError, ValueError, OverflowError, ZeroDivisionError) as error:  # BadSource is a ValueError
        if isinstance(error, BadSource):
            raise
        raise BadSource(f"the values of the image processor cannot be used ({error})") from error


def _fields(name: str, values: Mapping[str, Any], channels: int) -> dict[str, Any]:
    if not values.get("do_resize", True) or not values.get("size"):
        raise BadSource("this image processor does not resize pictures, and the service takes them of any size")
    if values.get("do_pad"):
        raise BadSource("this image processor pads pictures to a size of their own, which is not supported")
    mean, std = _normalisation(values, channels)
    bgr = bool(values.get("do_flip_channel_order")) and channels == 3
    resample = values.get("resample", 2)
    if resample not in INTERPOLATIONS:
        raise BadSource(f"the image processor's interpolation {str(resample)[:100]!r} is not one of Pillow's")
    return {
        **_sizes(name, values),
        "interpolation": INTERPOLATIONS[int(resample)],
        "mean": mean,
        "std": std,
        "colours": "BGR" if bgr else None,
        "crop_down": True,
    }


def _sizes(name: str, values: Mapping[str, Any]) -> dict[str, Any]:
    size = values["size"] if isinstance(values["size"], Mapping) else {"shortest_edge": values["size"]}
    shorter = int(size.get("shortest_edge") or 0)
    if name.startswith("ConvNext") and shorter:
        if shorter >= WARPS_FROM:
            return {"resize_mode": "squash", "resize": shorter, "input_size": shorter}
        return {"resize": int(shorter / (values.get("crop_pct") or 224 / 256)), "input_size": shorter}
    if name.startswith("PoolFormer") and values.get("crop_pct"):
        # The processor takes `size` for the shorter side also where it has a height and a width.
        shorter = int((shorter or _side(_pair(size))) / values["crop_pct"])
    if name.startswith("Levit") and shorter:
        shorter = int(256 / 224 * shorter)
    if shorter and size.get("longest_edge"):
        raise BadSource("this image processor bounds both sides of the picture, which is not supported")
    crop = _pair(values.get("crop_size")) if values.get("do_center_crop") else None
    if shorter:
        if crop is None:
            raise BadSource("this image processor makes pictures of different sizes, and the service needs one size")
        return {"resize": shorter, "input_size": _single(crop)}
    resized = _pair(size)
    if resized is None:
        raise BadSource(f"the image processor's size {dict(size)} is not supported")
    return {"resize_mode": "squash", "resize": _single(resized), "input_size": _single(crop or resized)}


def _pair(size: Any) -> tuple[int, int] | None:
    if isinstance(size, int):
        return size, size
    if isinstance(size, Mapping) and size.get("height") and size.get("width"):
        return int(size["height"]), int(size["width"])
    return None


def _side(size: tuple[int, int] | None) -> int:
    if size is None or size[0] != size[1]:
        raise BadSource("this image processor enlarges a rectangle before the crop, which is not supported")
    return size[0]


def _single(size: tuple[int, int]) -> int | tuple[int, int]:
    return size[0] if size[0] == size[1] else size


def _normalisation(values: Mapping[str, Any], channels: int) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation of pixels in [0, 1] with which (pixels - mean) / std is the network's input."""
    rescales = values.get("do_rescale", True)
    factor = 255.0 * float(values.get("rescale_factor") or 1 / 255) if rescales else 255.0
    offset = 1.0 if values.get("rescale_offset") else 0.0
    normalises = values.get("do_normalize")
    mean = _each(values.get("image_mean"), channels) if normalises else (0.0,) * channels
    std = _each(values.get("image_std"), channels) if normalises else (1.0,) * channels
    if values.get("include_top") and values.get("image_std") is not None:
        # The input of EfficientNet is divided by the standard deviation a second time.
        std = tuple(value * again for value, again in zip(std, _each(values["image_std"], channels), strict=True))
    return tuple((value + offset) / factor for value in mean), tuple(value / factor for value in std)


def _each(values: Any, channels: int) -> tuple[float, ...]:
    numbers = [float(value) for value in (values if isinstance(values, list | tuple) else [values])]
    if len(numbers) == 1:
        return tuple(numbers * channels)
    if len(numbers) != channels:
        raise BadSource(f"the image processor normalises {len(numbers)} channels, and the network has {channels}")
    return tuple(numbers)

"""How pictures become the input of a network, in words."""

from models.spec import Spec


def input_text(spec: Spec) -> str:
    """One sentence: the pictures, how they are resized, and what of them the network gets."""
    height, width = spec.size
    kernel = f"{spec.interpolation}, {'antialiased' if spec.antialias else 'without antialiasing'}"
    colours = "grey" if spec.channels == 1 else spec.channel_names
    return (
        f"Input: a picture of any size in {colours}; it is resized {_resize(spec)} ({kernel}), and "
        f"{'its' if spec.resize_mode != 'pad' else 'the'} centre of {height} x {width} pixels is classified."
    )


def _resize(spec: Spec) -> str:
    height, width = spec.resize_size
    if spec.resize_mode == "squash":
        return f"to {height} x {width} pixels without regard to its proportions"
    if spec.resize_mode == "pad":
        return f"in proportion to fit into {height} x {width} pixels, filled up with one colour"
    if isinstance(spec.resize, int):
        return f"in proportion to {spec.resize} pixels on its shorter side"
    return f"in proportion to cover {height} x {width} pixels"

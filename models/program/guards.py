"""Checks of the arguments of operators that PyTorch calls without a check of its own.

With arguments that do not fit together these operators read memory out of bounds, or end the process. PyTorch's own
Python code never calls them so, but a program from elsewhere may.
"""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor
from torch._ops import OpOverload

from models.program.graph import BadProgram

Arguments = Mapping[str, Any]
Guard = Callable[[Arguments], bool]
"""Whether an operator may be called with these arguments, by their names in its schema."""


def guard_of(function: OpOverload) -> Callable[..., None] | None:
    """What checks the arguments before a call, raising BadProgram; None for operators that check their own."""
    name = function._schema.name.removeprefix("aten::").removesuffix("_")
    is_sound = GUARDS.get(name)
    if is_sound is None:
        return None
    names = [argument.name for argument in function._schema.arguments]
    defaults = {argument.name: argument.default_value for argument in function._schema.arguments}

    def check(*arguments: Any, **keywords: Any) -> None:
        if not is_sound({**defaults, **dict(zip(names, arguments, strict=False)), **keywords}):
            raise BadProgram(f"the program calls {function} with arguments that do not fit together: export it again")

    return check


def _batch_norm(given: Arguments) -> bool:
    """One number of each kind for every channel."""
    pixels, numbers = given["input"], [given[name] for name in ("weight", "bias", "running_mean", "running_var")]
    return (
        pixels.ndim >= 2
        and all(values is None or values.shape == pixels.shape[1:2] for values in numbers)
        and None not in (given["running_mean"], given["running_var"])
    )


def _weight_norm(given: Arguments) -> bool:
    """One length for each index of the dimension."""
    directions, lengths, dim = given["v"], given["g"], given["dim"]
    expected = [1] * directions.ndim
    if dim != -1:
        if not 0 <= dim < directions.ndim:
            return False
        expected[dim] = directions.shape[dim]
    return directions.numel() > 0 and list(lengths.shape) == expected and directions.dtype == lengths.dtype


def _attention(given: Arguments) -> bool:
    """The same rows, heads and features, a value for each key, and a mask that can be broadcast to all pairs."""
    query, key, value, mask = (given[name] for name in ("query", "key", "value", "attn_mask"))
    if not query.ndim == key.ndim == value.ndim == 4 or key.shape != value.shape:
        return False
    if 0 in (*query.shape, *key.shape):
        return False
    pairs = (*query.shape[:2], query.shape[2], key.shape[2])
    fits = mask is None or (
        mask.ndim in (2, 4) and all(n in (1, m) for n, m in zip(mask.shape, pairs[-mask.ndim :], strict=True))
    )
    return bool(query.shape[:2] == key.shape[:2] and query.shape[3] == key.shape[3] and fits)


def _sections(given: Arguments) -> bool:
    """No more parts than there are indices, since each becomes a tensor."""
    indices = given.get("tensor_indices_or_sections")
    most = max(given["self"].shape, default=0)
    return given.get("sections", 0) <= most and (indices is None or indices.ndim == 1)


def _pad(given: Arguments) -> bool:
    """Negative sizes, which cut off what is there, are for the mode constant alone."""
    sizes = given["pad" if "pad" in given else "padding"]
    return given.get("mode") in ("constant", CONSTANT) or all(size >= 0 for size in sizes)


def _of_numbers(given: Arguments) -> bool:
    """Not of booleans and whole numbers, whose conversion reads memory in another order than they have in it."""
    values = given["self"]
    return bool(values.is_floating_point() or values.is_complex())


def _upsample(given: Arguments) -> bool:
    """Scales that are those of the sizes, within a factor of two; others read and write out of bounds."""
    values, sizes = given["input" if "input" in given else "self"], given["output_size"]
    if sizes is None:
        return all(SMALLEST_SCALE <= scale <= 1 / SMALLEST_SCALE for scale in given["scale_factors"] or ())
    scales = [given[name] for name in ("scales_h", "scales_w") if name in given] or given.get("scale_factors") or ()
    pairs = zip(sizes, values.shape[2:], scales, strict=False)
    return all(scale is None or before * scale / 2 <= size <= 2 * before * scale for size, before, scale in pairs)


def _grid_sampler(given: Arguments) -> bool:
    """The modes that exist: bilinear, nearest, bicubic; zeros, border, reflection."""
    return given["interpolation_mode"] in (0, 1, 2) and given["padding_mode"] in (0, 1, 2)


def _transform(given: Arguments) -> bool:
    """Dimensions that the tensor has, counted from the first one, each once and none of them empty."""
    values, dims = given["self"], [*given["dim"]]
    found = {dim for dim in dims if 0 <= dim < values.ndim}
    sound = 0 < len(found) == len(dims) and all(values.shape[dim] > 0 for dim in dims)
    size = given.get("last_dim_size")
    return sound and (size is None or 0 < size // 2 + 1 <= values.shape[dims[-1]])


def _recurrent(gates: int) -> Guard:
    """A guard of layers with so many gates: weights of the right shapes for each layer and direction."""

    def is_sound(given: Arguments) -> bool:
        if "batch_sizes" in given or given["input"].ndim != 3:
            return False
        states = given["hx"] if isinstance(given["hx"], list | tuple) else [given["hx"]]
        directions, layers = 1 + given["bidirectional"], given["num_layers"]
        values, each = list(given["params"]), 4 if given["has_biases"] else 2
        if not 0 < layers <= len(values) or len(values) != layers * directions * each or not states:
            return False
        rows, hidden = given["input"].shape[0 if given["batch_first"] else 1], states[0].shape[-1]
        if any(state.shape != (layers * directions, rows, hidden) for state in states):
            return False
        width = given["input"].shape[2]
        for first in range(0, len(values), each):
            inputs = width if first < directions * each else hidden * directions
            if not _is_cell(values[first : first + each], gates, inputs, hidden):
                return False
        return True

    return is_sound


def _cell(gates: int) -> Guard:
    """The same of a single step of one layer."""

    def is_sound(given: Arguments) -> bool:
        states = given["hx"] if isinstance(given["hx"], list | tuple) else [given["hx"]]
        pixels, hidden = given["input"], states[0].shape[-1] if states and states[0].ndim == 2 else 0
        if pixels.ndim != 2 or not hidden or any(state.shape != (len(pixels), hidden) for state in states):
            return False
        biases = [given[name] for name in ("b_ih", "b_hh") if given[name] is not None]
        return _is_cell([given["w_ih"], given["w_hh"], *biases], gates, pixels.shape[1], hidden)

    return is_sound


def _is_cell(values: list[Tensor], gates: int, inputs: int, hidden: int) -> bool:
    shapes = [(gates * hidden, inputs), (gates * hidden, hidden), (gates * hidden,), (gates * hidden,)]
    return all(tuple(value.shape) == shape for value, shape in zip(values, shapes, strict=False))


def _division(given: Arguments) -> bool:
    """Not the smallest integer by -1, whose result does not exist: the processor stops the process."""
    first, second = given["self"], given["other"]
    tensors = [value for value in (first, second) if isinstance(value, Tensor)]
    if any(tensor.is_floating_point() or tensor.is_complex() or tensor.is_meta for tensor in tensors):
        return True
    first, second = torch.as_tensor(first), torch.as_tensor(second)
    if torch.float32 in (first.dtype, second.dtype):
        return True
    dtype = torch.result_type(first, second)
    is_smallest = dtype != torch.bool and bool((first.to(dtype) == torch.iinfo(dtype).min).any())
    return not (is_smallest and bool((second.to(dtype) == -1).any()))


def _power(given: Arguments) -> bool:
    """Not the smallest integer, which has no positive counterpart: PyTorch would never end."""
    return bool(given["n"] > -(2**63))


CONSTANT = 3
"""The number of the mode "constant" of `_pad_enum`."""
PADS = """
    pad reflection_pad1d reflection_pad2d reflection_pad3d replication_pad1d replication_pad2d replication_pad3d
    _pad_circular _pad_enum
"""
SMALLEST_SCALE = 1 / 1024
"""Smallest factor of a resampling."""
SPECTRA = """
    fft_fft fft_fft2 fft_fftn fft_ifft fft_ifft2 fft_ifftn fft_irfft fft_irfft2 fft_irfftn fft_rfft fft_rfft2 fft_rfftn
    stft istft
"""
_LSTM, _GRU, _RNN = 4, 3, 1
GUARDS: Mapping[str, Guard] = {
    **dict.fromkeys(
        ("native_batch_norm", "_batch_norm_no_update", "_native_batch_norm_legit_no_training"), _batch_norm
    ),
    **dict.fromkeys(("_weight_norm", "_weight_norm_interface"), _weight_norm),
    "_scaled_dot_product_flash_attention_for_cpu": _attention,
    **dict.fromkeys(("tensor_split", "hsplit", "vsplit", "dsplit"), _sections),
    **dict.fromkeys(PADS.split(), _pad),
    **dict.fromkeys(SPECTRA.split(), _of_numbers),
    **dict.fromkeys(("_upsample_bilinear2d_aa", "_upsample_bicubic2d_aa"), _upsample),
    **dict.fromkeys(("grid_sampler", "grid_sampler_2d", "grid_sampler_3d"), _grid_sampler),
    **dict.fromkeys(("_fft_c2c", "_fft_c2r", "_fft_r2c"), _transform),
    "lstm": _recurrent(_LSTM),
    "gru": _recurrent(_GRU),
    **dict.fromkeys(("rnn_relu", "rnn_tanh"), _recurrent(_RNN)),
    "lstm_cell": _cell(_LSTM),
    "gru_cell": _cell(_GRU),
    **dict.fromkeys(("rnn_relu_cell", "rnn_tanh_cell"), _cell(_RNN)),
    **dict.fromkeys(("matrix_power", "linalg_matrix_power"), _power),
    **dict.fromkeys(("div", "divide", "floor_divide", "fmod", "remainder"), _division),
}

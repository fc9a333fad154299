"""Which operators a program may call: a list of names, since what it does not list cannot be called by any file.

All of PyTorch's operators would be too many: some read and write files, change settings of the process, or trust sizes
that they are given and read memory out of bounds.
"""

import math
import operator as python
import re
from collections.abc import Callable
from typing import Any

import torch
from torch._ops import OpOverload

from models.program.graph import BadProgram

POINTWISE = """
    abs absolute acos acosh add addcdiv addcmul angle arccos arccosh arcsin arcsinh arctan arctan2 arctanh asin asinh
    atan atan2 atanh bitwise_and bitwise_left_shift bitwise_not bitwise_or bitwise_right_shift bitwise_xor ceil clamp
    clamp_max clamp_min clip complex conj conj_physical copysign cos cosh deg2rad digamma div divide eq erf erfc erfinv
    exp exp2 expm1 fix float_power floor floor_divide fmax fmin fmod frac ge greater greater_equal gt heaviside hypot
    imag isclose isfinite isinf isnan isneginf isposinf le lerp less less_equal lgamma log log10 log1p log2 logaddexp
    logaddexp2 logical_and logical_not logical_or logical_xor logit lt masked_fill maximum minimum mul multiply
    nan_to_num ne neg negative not_equal polar positive pow rad2deg real reciprocal remainder resolve_conj resolve_neg
    round rsqrt rsub sgn sigmoid sign signbit sin sinc sinh special_entr special_erf special_erfc special_exp2
    special_expit special_expm1 special_log1p special_log_softmax special_logit special_round special_sinc
    special_softmax special_xlogy sqrt square sub subtract tan tanh true_divide trunc view_as_complex view_as_real where
    xlogy __and__ __iand__ __ior__ __ixor__ __lshift__ __or__ __rshift__ __xor__
"""
ACTIVATIONS = """
    celu elu gelu glu hardshrink hardsigmoid hardswish hardtanh leaky_relu log_sigmoid log_softmax mish prelu relu relu6
    selu silu softmax softplus softshrink threshold _log_softmax _prelu_kernel _safe_softmax _softmax
"""
REDUCTIONS = """
    all amax amin aminmax any argmax argmin argsort cdist cosine_similarity count_nonzero cummax cummin cumprod cumsum
    dist frobenius_norm kthvalue linalg_matrix_norm linalg_norm linalg_vector_norm logcumsumexp logsumexp max mean
    median min mode msort nanmean nanmedian nanquantile nansum norm pairwise_distance prod quantile sort std std_mean
    sum topk trace var var_mean _cdist_forward _euclidean_dist
"""
PRODUCTS = """
    addbmm addmm addmv addr baddbmm bilinear bmm chain_matmul cross dot einsum ger inner inverse kron linalg_cholesky
    linalg_cholesky_ex linalg_cross linalg_det linalg_eigh linalg_householder_product linalg_inv linalg_inv_ex
    linalg_matmul linalg_matrix_exp linalg_matrix_power linalg_multi_dot linalg_pinv linalg_qr linalg_slogdet
    linalg_solve linalg_solve_ex linalg_solve_triangular linalg_svd linalg_vecdot linear matmul matrix_exp matrix_power
    mm mv outer tensordot vdot _linalg_det _linalg_eigh _linalg_slogdet _linalg_solve_ex _linalg_svd
"""
LAYERS = """
    adaptive_avg_pool1d adaptive_avg_pool2d adaptive_avg_pool3d adaptive_max_pool1d adaptive_max_pool2d
    adaptive_max_pool3d alpha_dropout avg_pool1d avg_pool2d avg_pool3d batch_norm conv1d conv2d conv3d conv_transpose1d
    conv_transpose2d conv_transpose3d convolution dropout embedding feature_alpha_dropout feature_dropout group_norm gru
    gru_cell instance_norm layer_norm lstm lstm_cell max_pool1d max_pool1d_with_indices max_pool2d
    max_pool2d_with_indices max_pool3d max_pool3d_with_indices native_batch_norm native_dropout native_group_norm
    native_layer_norm norm_except_dim renorm rms_norm rnn_relu rnn_relu_cell rnn_tanh rnn_tanh_cell
    scaled_dot_product_attention _adaptive_avg_pool2d _adaptive_avg_pool3d _batch_norm_no_update _convolution
    _fused_rms_norm _native_batch_norm_legit_no_training
    _scaled_dot_product_flash_attention_for_cpu _weight_norm _weight_norm_interface
"""
SHAPES = """
    adjoint alias atleast_1d atleast_2d atleast_3d block_diag broadcast_tensors broadcast_to cat channel_shuffle chunk
    clone column_stack concat concatenate contiguous detach diag diag_embed diagflat diagonal dsplit dstack expand
    expand_as flatten flip fliplr flipud hsplit hstack lift_fresh lift_fresh_copy mH mT meshgrid moveaxis movedim narrow
    native_channel_shuffle numpy_T permute pixel_shuffle pixel_unshuffle ravel repeat repeat_interleave reshape
    reshape_as roll rot90 row_stack select slice split split_with_sizes squeeze stack swapaxes swapdims t tensor_split
    tile to transpose type_as unbind unflatten unfold unsafe_chunk unsafe_split unsafe_split_with_sizes unsqueeze view
    view_as vsplit vstack _to_copy _unsafe_view
"""
INDEXING = """
    argwhere bucketize copy diagonal_scatter fill fill_diagonal gather index index_add index_copy index_fill index_put
    index_select isin masked_scatter masked_select nonzero one_hot scatter scatter_add scatter_reduce searchsorted
    select_scatter slice_scatter take take_along_dim tril triu
"""
CREATION = """
    arange bartlett_window blackman_window empty empty_like eye full full_like hamming_window hann_window kaiser_window
    linspace logspace new_empty new_full new_ones new_zeros ones ones_like scalar_tensor tril_indices triu_indices zero
    zeros zeros_like
"""
RESAMPLING = """
    affine_grid_generator col2im constant_pad_nd fft_fft fft_fft2 fft_fftfreq fft_fftn fft_fftshift fft_ifft fft_ifft2
    fft_ifftn fft_ifftshift fft_irfft fft_irfft2 fft_irfftn fft_rfft fft_rfft2 fft_rfftfreq fft_rfftn grid_sampler
    grid_sampler_2d grid_sampler_3d im2col istft pad reflection_pad1d reflection_pad2d reflection_pad3d
    replication_pad1d replication_pad2d replication_pad3d stft upsample_bicubic2d upsample_bilinear2d upsample_linear1d
    upsample_nearest1d upsample_nearest2d upsample_nearest3d upsample_trilinear3d _fft_c2c _fft_c2r _fft_r2c
    _pad_circular _pad_enum _upsample_bicubic2d_aa _upsample_bilinear2d_aa _upsample_nearest_exact1d
    _upsample_nearest_exact2d _upsample_nearest_exact3d
"""
NUMBERS = "item sym_numel sym_size _local_scalar_dense"
RANDOM = """
    bernoulli binomial cauchy exponential geometric log_normal multinomial normal poisson rand rand_like randint
    randint_like randn randn_like randperm random rrelu rrelu_with_noise uniform
"""
"""Operators that are not allowed because each pass would give other logits."""
TEXTS = """
    UPLO approximate driver equation indexing interpolation mode norm ord pad_mode padding reduce rounding_mode side
"""
"""Arguments of operators that are text: the name of a variant, or the formula of einsum."""
GROUPS = (POINTWISE, ACTIVATIONS, REDUCTIONS, PRODUCTS, LAYERS, SHAPES, INDEXING, CREATION, RESAMPLING, NUMBERS)
ALLOWED = frozenset(name for group in GROUPS for name in group.split())
"""Names of the tensor operators that a program may call, with all their overloads and their variants in place."""

SUBSTITUTES = {
    # The strides of the pixels may be others than in the exported program, and then only a copy has the new shape.
    "aten.view.default": "aten.reshape.default",
    "aten._unsafe_view.default": "aten.reshape.default",
    "aten.view_as.default": "aten.reshape_as.default",
    # Memory that nobody has written may hold anything, also secrets.
    "aten.empty.memory_format": "aten.zeros.default",
    "aten.empty_like.default": "aten.zeros_like.default",
    "aten.new_empty.default": "aten.new_zeros.default",
}
"""Operators in whose place another one with the same arguments is called."""

KINDS = {
    *("Tensor", "number", "int", "SymInt", "float", "SymFloat", "bool", "SymBool", "str"),
    *("ScalarType", "Layout", "Device", "MemoryFormat"),
}
"""Types of the arguments and results of operators that are data, and no handles of anything."""

OTHERS = {"higher_order": "is control flow or compiled code", "torchvision": "belongs to torchvision"}
"""Why the operators of some other namespaces are refused."""
LARGEST_NUMBER = 2**63
"""Largest size that PyTorch can represent."""
LARGEST_EXPONENT = 64
"""Largest exponent: a power with a larger one is above LARGEST_NUMBER, and might take minutes to compute."""


def _bounded(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function, whose results are of 64 bits; multiplied again and again, Python's numbers grow without an end."""

    def call(*numbers: Any) -> Any:
        result = function(*numbers)
        if isinstance(result, int) and abs(result) > LARGEST_NUMBER:
            raise BadProgram("the program computes a size that is too large: it cannot be run")
        return result

    return call


def _power(base: Any, exponent: Any) -> Any:
    if isinstance(exponent, int | float) and abs(exponent) > LARGEST_EXPONENT:
        raise BadProgram(f"the program computes a power with an exponent above {LARGEST_EXPONENT}: it cannot be run")
    return base**exponent


OF_OPERATOR = "add and_ eq floordiv ge gt le lt mod mul ne neg or_ pos sub truediv"
OF_MATH = "ceil floor sqrt trunc"
OF_TORCH = "sym_float sym_int sym_ite sym_max sym_min sym_not _sym_sqrt"
ARITHMETIC: dict[str, Callable[..., Any]] = {
    f"{module.__name__.removeprefix('_')}.{name}": _bounded(getattr(module, name))
    for module, names in ((python, OF_OPERATOR), (math, OF_MATH), (torch, OF_TORCH))
    for name in names.split()
} | {"operator.pow": _bounded(_power)}
"""Functions of numbers, which compute sizes from the number of rows."""


def operator(name: str) -> Callable[..., Any]:
    """The function with this name, such as "aten.conv2d.default" or "operator.mul"; raises BadProgram."""
    if name in ARITHMETIC:
        return ARITHMETIC[name]
    namespace = name.partition(".")[0]
    base, _, overload = SUBSTITUTES.get(name, name).removeprefix("aten.").partition(".")
    if namespace != "aten":
        raise _refuse(name, OTHERS.get(namespace, "is no operator of PyTorch's own"), "write the network without it")
    if base.removesuffix("_") in RANDOM.split():
        raise _refuse(name, "is random", "call model.eval(), or write the network without it")
    if base == "as_strided":
        raise _refuse(name, "depends on where in memory its input lies", "leave out run_decompositions()")
    # Overloads of TorchScript, whose names begin with `prim_`, end the process if they are called from Python.
    if not {base, base.removesuffix("_")} & ALLOWED or not re.fullmatch(r"(?!prim_)\w+", overload):
        raise _refuse(name, "is not on the list of what a classifier may use", "write the network without it")
    function = getattr(getattr(torch.ops.aten, base, None), overload, None)
    if not isinstance(function, OpOverload) or not _takes_data_alone(function):
        raise _refuse(name, f"PyTorch {torch.__version__} does not have as a function of tensors", "update PyTorch")
    return function


def _refuse(name: str, fault: str, remedy: str) -> BadProgram:
    return BadProgram(f"the program calls {name[:100]}, which {fault}: {remedy}, and export it again")


def _takes_data_alone(function: OpOverload) -> bool:
    """Whether the operator takes and returns tensors, numbers and the like, but no files, generators or objects.

    The namespace of tensor operators also has TorchScript's functions of lists and numbers, which take no tensor.
    """
    values = [*function._schema.arguments, *function._schema.returns]
    kinds = [re.sub(r"(?:Optional|List)\[|\]", "", str(value.real_type)) for value in values]
    return (
        "Tensor" in kinds
        and len(function._schema.returns) > 0
        and KINDS.issuperset(kinds)
        and all(value.name in TEXTS.split() for value, kind in zip(values, kinds, strict=True) if kind == "str")
        and not any(argument.is_out for argument in function._schema.arguments)
    )

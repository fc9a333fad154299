"""What the processor can do by its flags, so that nothing is tried that torch would have to emulate."""

import torch

BFLOAT16 = ("avx512_bf16", "amx_bf16", "bf16")
"""Flags of processors that multiply in bfloat16: the first two of x86, the last of ARM."""
WITHOUT_AVX512 = ("DEFAULT", "NO AVX", "AVX2")
"""Levels of torch's kernels on x86 that lack the instructions of the flags above, also where the processor has them."""


def multiplies_bfloat16() -> bool:
    """Whether the processor may multiply in bfloat16 without emulation, which takes many times longer than float32.

    True is no promise of speed: convolutions in bfloat16 are slower than in float32 on some processors that have the
    flag. True too where torch is too old to tell the flags. Therefore True needs a measurement, and False needs none.
    """
    if not hasattr(torch.cpu, "get_capabilities"):
        return True
    flags = torch.cpu.get_capabilities()
    if flags["architecture"] == "x86_64" and torch.backends.cpu.get_cpu_capability() in WITHOUT_AVX512:
        return False
    return any(flags.get(flag, False) for flag in BFLOAT16)

"""Tests which processors are asked to multiply in bfloat16, from the flags that torch reports for them."""

from typing import Any

import pytest
import torch

from models.processor import multiplies_bfloat16

X86 = {"architecture": "x86_64", "avx2": True, "avx512_f": True, "avx512_bf16": False, "amx_bf16": False}
ARM = {"architecture": "aarch64", "neon": True, "bf16": False, "sve_max_length": 256}


@pytest.mark.parametrize(
    ("flags", "level", "expected"),
    [
        (X86, "AVX512", False),
        ({**X86, "avx512_bf16": True}, "AVX512", True),
        ({**X86, "amx_bf16": True}, "AVX512", True),
        ({**X86, "amx_bf16": True, "avx512_bf16": True}, "AVX2", False),  # torch was told to use no AVX-512
        (ARM, "DEFAULT", False),
        ({**ARM, "bf16": True}, "DEFAULT", True),
        ({"architecture": "ppc64le"}, "VSX", False),
    ],
)
def test_bfloat16_needs_a_flag_and_kernels_that_use_it(
    monkeypatch: pytest.MonkeyPatch, flags: dict[str, Any], level: str, expected: bool
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: flags)
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: level)
    assert multiplies_bfloat16() is expected


def test_a_torch_that_does_not_tell_the_flags_leaves_it_to_a_measurement(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(torch.cpu, "get_capabilities")
    assert multiplies_bfloat16()


def test_the_flags_of_this_processor_can_be_read() -> None:
    assert isinstance(multiplies_bfloat16(), bool)

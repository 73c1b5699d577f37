"""Remembered tokens to attention keys."""

from __future__ import annotations

import torch
from jaxtyping import Complex, Float
from torch import Tensor

from napari_sam2_kernels.dispatch import takes_triton
from napari_sam2_kernels.memory_keys.reference import plain_memory_keys

__all__ = ["memory_keys"]


def memory_keys(
    memory: Float[Tensor, "b m v"],
    codes: Float[Tensor, "1 m v"],
    weight: Float[Tensor, "c v"],
    bias: Float[Tensor, c],
    table: Complex[Tensor, "n pairs"],
    mapped: int,
) -> Float[Tensor, "b m c"]:
    """Return the keys of remembered tokens; see `reference`."""
    if takes_triton("memory_keys", _self_test, memory, codes, weight, bias):
        from napari_sam2_kernels.memory_keys.triton_kernel import triton_memory_keys

        return triton_memory_keys(memory, codes, weight, bias, table, mapped)
    return plain_memory_keys(memory, codes, weight, bias, table, mapped)


def _self_test(device: torch.device) -> float:
    from napari_sam2_kernels.memory_keys.triton_kernel import self_test

    return self_test(device)

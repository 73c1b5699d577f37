"""Attention, also with values narrower than its keys, whichever way is fastest here."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from napari_sam2_kernels.attention import packed
from napari_sam2_kernels.attention.reference import plain_attention
from napari_sam2_kernels.dispatch import takes_triton

__all__ = ["narrow_attention", "packed_pays"]

packed_pays = packed.suits


def narrow_attention(
    query: Float[Tensor, "b heads n c"],
    key: Float[Tensor, "b heads m c"],
    value: Float[Tensor, "b heads m v"],
) -> Float[Tensor, "b heads n v"]:
    """Return softmax(query key^T / sqrt(c)) value; v need not be c. See `reference` and `packed`."""
    if packed.suits(query, key, value):
        return packed.packed_attention(query, key, value)
    if takes_triton("attention", _self_test, query, key, value):
        from napari_sam2_kernels.attention.triton_kernel import triton_attention

        return triton_attention(query, key, value)
    return plain_attention(query, key, value)


def _self_test(device: torch.device) -> float:
    from napari_sam2_kernels.attention.triton_kernel import self_test

    return self_test(device)

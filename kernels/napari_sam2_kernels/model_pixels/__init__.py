"""A raw image to what the network sees."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from napari_sam2_kernels.dispatch import takes_triton
from napari_sam2_kernels.model_pixels.reference import plain_model_pixels

__all__ = ["model_pixels"]


def model_pixels(
    raw: Tensor, low: float, high: float, size: int, dtype: torch.dtype = torch.float32
) -> Float[Tensor, "1 3 {size} {size}"]:
    """Return a grey image as the network's input; see `reference`."""
    if takes_triton("model_pixels", _self_test, raw):
        from napari_sam2_kernels.model_pixels.triton_kernel import triton_model_pixels

        return triton_model_pixels(raw, low, high, size, dtype)
    return plain_model_pixels(raw, low, high, size, dtype)


def _self_test(device: torch.device) -> float:
    from napari_sam2_kernels.model_pixels.triton_kernel import self_test

    return self_test(device)

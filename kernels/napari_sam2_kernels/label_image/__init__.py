"""Mask logits of many objects to one label image."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor

from napari_sam2_kernels.dispatch import takes_triton
from napari_sam2_kernels.label_image.reference import plain_label_image

__all__ = ["label_image"]


def label_image(
    logits: Float[Tensor, "o h w"], ids: Int[Tensor, o], shape: tuple[int, int]
) -> Int[Tensor, "H W"]:
    """Return who has each pixel of an image of `shape`, int32; see `reference`."""
    if takes_triton("label_image", _self_test, logits):
        from napari_sam2_kernels.label_image.triton_kernel import triton_label_image

        return triton_label_image(logits, ids, shape)
    return plain_label_image(logits, ids, shape)


def _self_test(device: torch.device) -> float:
    from napari_sam2_kernels.label_image.triton_kernel import self_test

    return self_test(device)

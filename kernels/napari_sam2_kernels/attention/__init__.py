"""Attention with wide keys and narrow values."""

from napari_sam2_kernels.attention.reference import narrow_attention

__all__ = ["narrow_attention"]

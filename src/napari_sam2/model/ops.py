"""The single door to the kernels: what the network asks for, whichever way it is computed."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from napari_sam2_kernels.attention import narrow_attention


def attend(
    query: Float[Tensor, "#b heads n c"],
    key: Float[Tensor, "#b heads m c"],
    value: Float[Tensor, "#b heads m v"],
) -> Float[Tensor, "b heads n v"]:
    """Scaled dot-product attention without a mask.

    Parameters
    ----------
    query
        (b, heads, n, c); a batch of one is shared by all.
    key
        (b, heads, m, c).
    value
        (b, heads, m, v); v may be narrower than c.

    Returns
    -------
    Tensor
        (b, heads, n, v).
    """
    batch = max(query.shape[0], key.shape[0], value.shape[0])
    query, key, value = (x.expand(batch, -1, -1, -1) for x in (query, key, value))
    if value.shape[-1] != key.shape[-1]:
        return narrow_attention(query, key, value)
    if query.device.type == "cpu" and torch.is_grad_enabled() and key.requires_grad:
        # The backward pass of torch's fused attention takes several times this on a CPU.
        return (query * query.shape[-1] ** -0.5 @ key.transpose(-1, -2)).softmax(-1) @ value
    return F.scaled_dot_product_attention(query, key, value)

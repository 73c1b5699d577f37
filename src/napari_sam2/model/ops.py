"""The single door to the kernels: what the network asks for, whichever way it is computed."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from napari_sam2_kernels.attention import narrow_attention, packed_pays

_SCORES = 2**25
"""Scores whose position terms are written out at once: 128 MB of float32, of several GB for a large map."""

_SMALL = 2**18
"""Scores a head that are never too many to be written out at once: a window's."""


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
    if value.shape[-1] != key.shape[-1] or packed_pays(query, key, value):
        return narrow_attention(query, key, value)
    learns = torch.is_grad_enabled() and key.requires_grad
    halves = query.dtype is torch.bfloat16 and query.shape[-2] * key.shape[-2] <= _SMALL
    if query.device.type == "cpu" and (learns or halves):
        # On a CPU the backward pass of torch's fused attention takes several times this, and bfloat16 gains
        # nothing in it.
        return (query * query.shape[-1] ** -0.5 @ key.transpose(-1, -2)).softmax(-1) @ value
    return F.scaled_dot_product_attention(query, key, value)


def attend_relative(
    query: Float[Tensor, "b heads n c"],
    key: Float[Tensor, "b heads n c"],
    value: Float[Tensor, "b heads n c"],
    rows: Float[Tensor, "h h c"],
    columns: Float[Tensor, "w w c"],
) -> Float[Tensor, "b heads n c"]:
    """Attention over a map of n = h w tokens, with decomposed relative positions (MViTv2, equation 3).

    A score is query . key / sqrt(c) + query . rows[i, a] + query . columns[j, b] for a query at (i, j) and a
    key at (a, b); the position terms are not divided.

    Parameters
    ----------
    query, key, value
        (b, heads, h w, c), row by row.
    rows
        (h, h, c): for the row of the query and the row of the key.
    columns
        (w, w, c).

    Returns
    -------
    Tensor
        (b, heads, h w, c).
    """
    batch, heads, count, _ = query.shape
    height, width = len(rows), len(columns)
    step = max(1, _SCORES // (batch * heads * width * count))
    parts = []
    for part, own in zip(
        query.unflatten(2, (height, width)).split(step, dim=2), rows.split(step), strict=True
    ):
        down = torch.einsum("bnhwc,hac->bnhwa", part, own)
        across = torch.einsum("bnhwc,wac->bnhwa", part, columns)
        bias = (down[..., :, None] + across[..., None, :]).flatten(4).flatten(2, 3)
        parts.append(F.scaled_dot_product_attention(part.flatten(2, 3), key, value, attn_mask=bias))
    return torch.cat(parts, dim=2)

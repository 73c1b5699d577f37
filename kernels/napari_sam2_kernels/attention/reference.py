"""Attention whose values are narrower than its keys, in plain torch."""

from __future__ import annotations

import torch
from torch import Tensor

# Rows of scores held at once: 512 x 28,736 float32 is 59 MB, and the products still run at full rate.
_BLOCK_ELEMENTS = 512 * 28_736


def narrow_attention(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """Return softmax(query key^T / sqrt(c)) value, block by block of queries.

    torch's fused attention wants values as wide as keys; padding 64 columns to 256 would cost four times the work.

    Parameters
    ----------
    query
        (b, heads, n, c).
    key
        (b, heads, m, c).
    value
        (b, heads, m, v).

    Returns
    -------
    Tensor
        (b, heads, n, v).
    """
    scale = query.shape[-1] ** -0.5
    rows, columns = query.shape[-2], key.shape[-2]
    leading = query.shape[0] * query.shape[1]
    keys = key.transpose(-1, -2)
    if torch.is_grad_enabled() and (query.requires_grad or key.requires_grad or value.requires_grad):
        return ((query * scale) @ keys).softmax(-1) @ value
    block = max(1, min(rows, _BLOCK_ELEMENTS // columns))
    out = query.new_empty(*query.shape[:-1], value.shape[-1])
    q, k, v, o = (
        x.reshape(leading, *x.shape[-2:]) if x is not out else out.view(leading, *out.shape[-2:])
        for x in (query * scale, keys, value, out)
    )
    for item in range(leading):
        for start in range(0, rows, block):
            scores = q[item, start : start + block] @ k[item]
            o[item, start : start + block] = scores.softmax(-1) @ v[item]
    return out

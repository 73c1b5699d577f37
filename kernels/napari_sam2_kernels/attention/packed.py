"""Attention on a CPU as products with packed keys and values, block by block."""

from __future__ import annotations

from math import e, log2

import torch
from jaxtyping import Float
from torch import Tensor

from napari_sam2_kernels.attention.reference import plain_attention
from napari_sam2_kernels.onednn import obstacle, pack, product

_QUERIES, _KEYS = 1024, {torch.float32: 2048, torch.bfloat16: 1024}
"""Sides of a block of scores: large enough that a call's overhead does not matter, and within the cache."""

_WORTH = 2**18
"""Scores a head below which packing costs more than it saves."""

_LEAST, _MOST = 2.0**-60, 2.0**100
"""Between these a sum of unshifted weights has lost nothing to float32's range."""


def suits(
    query: Float[Tensor, "#b heads n c"],
    key: Float[Tensor, "#b heads m c"],
    value: Float[Tensor, "#b heads m v"],
) -> bool:
    """Whether `packed_attention` can and should compute this."""
    return (
        query.device.type == "cpu"
        and query.dtype in (torch.float32, torch.bfloat16)
        and query.shape[-2] * key.shape[-2] >= _WORTH
        and not torch.compiler.is_compiling()
        and not (
            torch.is_grad_enabled() and (query.requires_grad or key.requires_grad or value.requires_grad)
        )
        and obstacle(query.dtype) is None
    )


def packed_attention(
    query: Float[Tensor, "b heads n c"],
    key: Float[Tensor, "b heads m c"],
    value: Float[Tensor, "b heads m v"],
) -> Float[Tensor, "b heads n v"]:
    """Return softmax(query key^T / sqrt(c)) value.

    The usual shift by the largest score only keeps exponentials within range. Scores of a network rarely
    leave it, so they are not shifted; sums that came near the ends of the range are found out afterwards, and
    those queries are computed again with care. Powers of two are several times as fast as those of e.

    Parameters
    ----------
    query
        (b, heads, n, c), float32 or bfloat16, on a CPU.
    key
        (b, heads, m, c).
    value
        (b, heads, m, v).

    Returns
    -------
    Tensor
        (b, heads, n, v), in the number format of the query.
    """
    key, value = key.to(query.dtype), value.to(query.dtype)
    out = query.new_empty(*query.shape[:-1], value.shape[-1])
    for q, k, v, o in zip(*(x.flatten(0, 1) for x in (query, key, value, out)), strict=True):
        _attend(q, k, v, o)
    return out


def _attend(query: Tensor, key: Tensor, value: Tensor, out: Tensor) -> None:
    step = min(_QUERIES, len(query))
    keys = [pack(block, step) for block in key.split(_KEYS[key.dtype])]
    values = [pack(block.T, step) for block in value.split(_KEYS[key.dtype])]
    scaled = query * (query.shape[-1] ** -0.5 * log2(e))
    for start in range(0, len(query), step):
        rows = slice(start, start + step)
        seen = query.new_zeros(len(query[rows]), value.shape[1], dtype=torch.float32)
        total = seen.new_zeros(len(seen), 1)
        for k, v in zip(keys, values, strict=True):
            weights = product(scaled[rows], k).exp2_()
            # Not as a column of ones among the values: one column more than a multiple of 16 costs half as
            # much again.
            total += weights.sum(-1, keepdim=True, dtype=torch.float32)
            seen += product(weights, v)
        if bool(((total > _LEAST) & (total < _MOST)).all()):
            out[rows] = seen / total
        else:
            out[rows] = plain_attention(*(x[None, None] for x in (query[rows], key, value)))[0, 0]

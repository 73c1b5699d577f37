"""Attention on a GPU: the scores of a block never leave the chip, and values stay as narrow as they are."""

from __future__ import annotations

from math import e, log2

import torch
import triton
import triton.language as tl
from torch import Tensor

from napari_sam2_kernels.attention.reference import plain_attention
from napari_sam2_kernels.jit import jit

_QUERIES, _KEYS = 128, 64


@jit
def _attend(
    query,
    key,
    value,
    out,
    query_b,
    query_h,
    query_n,
    query_c,
    key_b,
    key_h,
    key_m,
    key_c,
    value_b,
    value_h,
    value_m,
    value_v,
    heads,
    n,
    m,
    c,
    v,
    scale,
    PRECISION: tl.constexpr,
    QUERIES: tl.constexpr,
    KEYS: tl.constexpr,
    WIDE: tl.constexpr,
    NARROW: tl.constexpr,
):
    item = tl.program_id(1).to(tl.int64)
    b, h = item // heads, item % heads
    rows = tl.program_id(0) * QUERIES + tl.arange(0, QUERIES)
    wide, narrow, columns = tl.arange(0, WIDE), tl.arange(0, NARROW), tl.arange(0, KEYS)
    query += b * query_b + h * query_h
    key += b * key_b + h * key_h
    value += b * value_b + h * value_h
    q = tl.load(
        query + rows[:, None] * query_n + wide[None] * query_c,
        mask=(rows[:, None] < n) & (wide[None] < c),
        other=0.0,
    )
    top = tl.full((QUERIES,), float("-inf"), tl.float32)
    total = tl.zeros((QUERIES,), tl.float32)
    seen = tl.zeros((QUERIES, NARROW), tl.float32)
    for start in range(0, m, KEYS):
        here = start + columns
        k = tl.load(
            key + here[None] * key_m + wide[:, None] * key_c,
            mask=(here[None] < m) & (wide[:, None] < c),
            other=0.0,
        )
        scores = tl.dot(q, k, input_precision=PRECISION) * scale
        scores = tl.where(here[None] < m, scores, float("-inf"))
        new = tl.maximum(top, tl.max(scores, 1))
        fade = tl.exp2(top - new)
        weights = tl.exp2(scores - new[:, None])
        w = tl.load(
            value + here[:, None] * value_m + narrow[None] * value_v,
            mask=(here[:, None] < m) & (narrow[None] < v),
            other=0.0,
        )
        total = total * fade + tl.sum(weights, 1)
        seen = seen * fade[:, None] + tl.dot(weights.to(w.dtype), w, input_precision=PRECISION)
        top = new
    tl.store(
        out + item * n * v + rows[:, None] * v + narrow[None],
        (seen / total[:, None]).to(out.dtype.element_ty),
        mask=(rows[:, None] < n) & (narrow[None] < v),
    )


def triton_attention(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """Return softmax(query key^T / sqrt(c)) value; see `reference.plain_attention` for the shapes.

    What is shared by a batch may be expanded: it is read in place.
    """
    batch, heads, n, c = query.shape
    m, v = value.shape[-2:]
    out = query.new_empty(batch, heads, n, v)
    queries = min(_QUERIES, max(16, triton.next_power_of_2(n)))
    _attend[(triton.cdiv(n, queries), batch * heads)](
        query,
        key,
        value,
        out,
        *query.stride(),
        *key.stride(),
        *value.stride(),
        heads,
        n,
        m,
        c,
        v,
        c**-0.5 * log2(e),
        PRECISION="ieee" if query.dtype is torch.float32 else "tf32",
        QUERIES=queries,
        # float32 takes twice the room on the chip.
        KEYS=_KEYS if query.element_size() == 2 else _KEYS // 2,
        WIDE=max(16, triton.next_power_of_2(c)),
        NARROW=max(16, triton.next_power_of_2(v)),
    )
    return out


def self_test(device: torch.device) -> float:
    """Return the largest error on a small example, relative to the largest value."""
    generator = torch.Generator().manual_seed(0)
    q, k, v = (
        torch.randn(shape, generator=generator).to(device)
        for shape in ((2, 1, 150, 256), (2, 1, 210, 256), (2, 1, 210, 64))
    )
    truth = plain_attention(q, k, v)
    return float((triton_attention(q, k, v) - truth).abs().max() / truth.abs().max())

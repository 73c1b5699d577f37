"""Temporal code, key projection and rotation on a GPU, in one pass over the memory."""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

from napari_sam2_kernels.jit import jit
from napari_sam2_kernels.memory_keys.reference import plain_memory_keys

_TOKENS = 64


@jit
def _keys(
    memory,
    codes,
    weight,
    bias,
    table,
    out,
    tokens,
    mapped,
    side,
    v,
    pairs,
    PRECISION: tl.constexpr,
    TOKENS: tl.constexpr,
    NARROW: tl.constexpr,
    PAIRS: tl.constexpr,
):
    token = tl.program_id(0) * TOKENS + tl.arange(0, TOKENS)
    item = tl.program_id(1).to(tl.int64)
    channel, pair, both = tl.arange(0, NARROW), tl.arange(0, PAIRS), tl.arange(0, 2 * PAIRS)
    there = (token[:, None] < tokens) & (channel[None] < v)
    place = token[:, None] * v + channel[None]
    x = tl.load(memory + item * tokens * v + place, mask=there, other=0.0).to(tl.float32)
    x += tl.load(codes + place, mask=there, other=0.0).to(tl.float32)
    # Rows of the weight in pairs: what belongs to the even channels, and to the odd ones.
    used = (channel[:, None] < v) & (pair[None] < pairs)
    at = 2 * pair[None] * v + channel[:, None]
    even = tl.load(weight + at, mask=used, other=0.0).to(tl.float32)
    odd = tl.load(weight + at + v, mask=used, other=0.0).to(tl.float32)
    a = tl.dot(x, even, input_precision=PRECISION)
    b = tl.dot(x, odd, input_precision=PRECISION)
    a += tl.load(bias + 2 * pair, mask=pair < pairs, other=0.0).to(tl.float32)[None]
    b += tl.load(bias + 2 * pair + 1, mask=pair < pairs, other=0.0).to(tl.float32)[None]
    turns = (token[:, None] < mapped) & (pair[None] < pairs)
    angle = table + ((token % side)[:, None] * pairs + pair[None]) * 2
    cosine = tl.load(angle, mask=turns, other=1.0)
    sine = tl.load(angle + 1, mask=turns, other=0.0)
    turned = tl.interleave(a * cosine - b * sine, a * sine + b * cosine)
    tl.store(
        out + (item * tokens + token[:, None]) * 2 * pairs + both[None],
        turned.to(out.dtype.element_ty),
        mask=(token[:, None] < tokens) & (both[None] < 2 * pairs),
    )


def triton_memory_keys(
    memory: Tensor, codes: Tensor, weight: Tensor, bias: Tensor, table: Tensor, mapped: int
) -> Tensor:
    """Return the keys of remembered tokens; see `reference.plain_memory_keys`."""
    batch, tokens, v = memory.shape
    pairs = table.shape[1]
    out = memory.new_empty(batch, tokens, 2 * pairs)
    _keys[(triton.cdiv(tokens, _TOKENS), batch)](
        memory.contiguous(),
        codes.contiguous(),
        weight.contiguous(),
        bias.contiguous(),
        torch.view_as_real(table).contiguous(),
        out,
        tokens,
        mapped,
        len(table),
        v,
        pairs,
        PRECISION="ieee" if memory.dtype is torch.float32 else "tf32",
        TOKENS=_TOKENS,
        NARROW=max(16, triton.next_power_of_2(v)),
        PAIRS=max(16, triton.next_power_of_2(pairs)),
    )
    return out


def self_test(device: torch.device) -> float:
    """Return the largest error on a small example, relative to the largest value."""
    generator = torch.Generator().manual_seed(0)
    memory, codes, weight, bias, angle = (
        torch.randn(shape, generator=generator).to(device)
        for shape in ((2, 107, 16), (1, 107, 16), (64, 16), (64,), (50, 32))
    )
    given = (memory, codes, weight, bias, torch.polar(torch.ones_like(angle), angle), 100)
    truth = plain_memory_keys(*given)
    return float((triton_memory_keys(*given) - truth).abs().max() / truth.abs().max())

"""Connected components on a GPU by union and find, and the small ones filled; the host never waits.

Each pixel starts as its own root. Neighbours are united by hanging the larger root below the smaller one,
with an atomic minimum that is tried again when somebody else was faster (Komura 2015; Playne
and Hawick 2018).
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

from napari_sam2_kernels.holes.reference import plain_fill_holes
from napari_sam2_kernels.jit import jit

_PIXELS = 128


@jit
def _root(parents, at, active):
    """Follow parents to where they end."""
    above = tl.load(parents + at, mask=active, other=0, volatile=True)
    moving = active & (above != at)
    while tl.sum(moving.to(tl.int32)) > 0:
        at = tl.where(moving, above, at)
        above = tl.load(parents + at, mask=moving, other=0, volatile=True)
        moving = moving & (above != at)
    return at


@jit
def _begin(logits, parents, sizes, total, PIXELS: tl.constexpr):
    pixel = tl.program_id(0) * PIXELS + tl.arange(0, PIXELS)
    inside = pixel < total
    background = tl.load(logits + pixel, mask=inside, other=1.0) <= 0
    tl.store(parents + pixel, tl.where(background, pixel, -1), mask=inside)
    tl.store(sizes + pixel, tl.zeros((PIXELS,), tl.int32), mask=inside)


@jit
def _unite(parents, total, height, width, PIXELS: tl.constexpr):
    pixel = tl.program_id(0) * PIXELS + tl.arange(0, PIXELS)
    inside = pixel < total
    row, column = (pixel // width) % height, pixel % width
    own = inside & (tl.load(parents + pixel, mask=inside, other=-1, volatile=True) >= 0)
    # The four neighbours that come before: left, upper left, upper, upper right.
    for side in tl.static_range(4):
        if side == 0:
            other, there = pixel - 1, column > 0
        elif side == 1:
            other, there = pixel - width - 1, (row > 0) & (column > 0)
        elif side == 2:
            other, there = pixel - width, row > 0
        else:
            other, there = pixel - width + 1, (row > 0) & (column < width - 1)
        active = own & there
        active = active & (tl.load(parents + other, mask=active, other=-1, volatile=True) >= 0)
        a, b = tl.where(active, pixel, 0), tl.where(active, other, 0)
        while tl.sum(active.to(tl.int32)) > 0:
            a, b = _root(parents, a, active), _root(parents, b, active)
            active = active & (a != b)
            low, high = tl.minimum(a, b), tl.maximum(a, b)
            before = tl.atomic_min(parents + high, low, mask=active)
            active = active & (before != high)
            a, b = tl.where(active, before, low), low


@jit
def _count(parents, sizes, total, PIXELS: tl.constexpr):
    pixel = tl.program_id(0) * PIXELS + tl.arange(0, PIXELS)
    own = pixel < total
    own = own & (tl.load(parents + pixel, mask=own, other=-1, volatile=True) >= 0)
    root = _root(parents, tl.where(own, pixel, 0), own)
    tl.atomic_add(sizes + root, tl.full((PIXELS,), 1, tl.int32), mask=own)


@jit
def _fill(logits, parents, sizes, out, total, area, value, PIXELS: tl.constexpr):
    pixel = tl.program_id(0) * PIXELS + tl.arange(0, PIXELS)
    inside = pixel < total
    logit = tl.load(logits + pixel, mask=inside, other=1.0)
    background = inside & (logit <= 0)
    root = _root(parents, tl.where(background, pixel, 0), background)
    small = background & (tl.load(sizes + root, mask=background, other=0) <= area)
    filled = tl.where(small, value, logit.to(tl.float32))
    tl.store(out + pixel, filled.to(out.dtype.element_ty), mask=inside)


def triton_fill_holes(logits: Tensor, area: int, value: float = 0.1) -> Tensor:
    """Return the logits with small islands of background at `value`; see `reference.plain_fill_holes`."""
    logits = logits.contiguous()
    total, (_, height, width) = logits.numel(), logits.shape
    out = torch.empty_like(logits)
    parents, sizes = torch.empty(2, total, dtype=torch.int32, device=logits.device)
    grid = (triton.cdiv(total, _PIXELS),)
    _begin[grid](logits, parents, sizes, total, PIXELS=_PIXELS)
    _unite[grid](parents, total, height, width, PIXELS=_PIXELS)
    _count[grid](parents, sizes, total, PIXELS=_PIXELS)
    _fill[grid](logits, parents, sizes, out, total, area, value, PIXELS=_PIXELS)
    return out


def self_test(device: torch.device) -> float:
    """Return the largest error on a small example."""
    logits = torch.randn(2, 13, 17, generator=torch.Generator().manual_seed(0)).to(device) + 0.6
    found, truth = (run(logits, 3) for run in (triton_fill_holes, plain_fill_holes))
    return float((found - truth).abs().max())

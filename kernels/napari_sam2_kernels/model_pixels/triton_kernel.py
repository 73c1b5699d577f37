"""Contrast, antialiased resize and normalisation on a GPU, in one pass over the raw image."""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

from napari_sam2_kernels.jit import jit
from napari_sam2_kernels.model_pixels.reference import DEVIATION, MEAN, plain_model_pixels

_PIXELS = 128


@jit
def _window(at, step, length):
    """Centre, first cell and end of what a pixel is made of."""
    reach = tl.maximum(step, 1.0)
    centre = (at.to(tl.float32) + 0.5) * step
    first = tl.maximum((centre - reach + 0.5).to(tl.int32), 0)
    end = tl.minimum((centre + reach + 0.5).to(tl.int32), length)
    return centre, first, end


@jit
def _share(cell, centre, end, step):
    """Height of a tent over a cell."""
    away = (cell.to(tl.float32) - centre + 0.5) / tl.maximum(step, 1.0)
    return tl.where(cell < end, tl.maximum(1.0 - tl.abs(away), 0.0), 0.0)


@jit
def _prepare(
    raw,
    out,
    height,
    width,
    size,
    down,
    across,
    low,
    span,
    mean_r,
    mean_g,
    mean_b,
    deviation_r,
    deviation_g,
    deviation_b,
    TALL: tl.constexpr,
    BROAD: tl.constexpr,
    PIXELS: tl.constexpr,
):
    pixel = tl.program_id(0) * PIXELS + tl.arange(0, PIXELS)
    inside = pixel < size * size
    y, top, bottom = _window(pixel // size, down, height)
    x, left, right = _window(pixel % size, across, width)
    value = tl.zeros((PIXELS,), tl.float32)
    weight = tl.zeros((PIXELS,), tl.float32)
    for i in range(TALL):
        vertical = _share(top + i, y, bottom, down)
        for j in range(BROAD):
            share = vertical * _share(left + j, x, right, across)
            used = inside & (share > 0)
            cell = tl.load(raw + (top + i) * width + left + j, mask=used, other=0).to(tl.float32)
            grey = tl.minimum(tl.maximum((cell - low) / span, 0.0), 1.0)
            value += share * grey
            weight += share
    value = value / tl.where(inside, weight, 1.0)
    kind = out.dtype.element_ty
    plane = size * size
    tl.store(out + pixel, ((value - mean_r) / deviation_r).to(kind), mask=inside)
    tl.store(out + plane + pixel, ((value - mean_g) / deviation_g).to(kind), mask=inside)
    tl.store(out + 2 * plane + pixel, ((value - mean_b) / deviation_b).to(kind), mask=inside)


def triton_model_pixels(
    raw: Tensor, low: float, high: float, size: int, dtype: torch.dtype = torch.float32
) -> Tensor:
    """Return a grey image as the network's input; see `reference.plain_model_pixels`."""
    height, width = raw.shape
    out = torch.empty(1, 3, size, size, dtype=dtype, device=raw.device)
    taps = [2 * -(-max(length, size) // size) + 1 for length in (height, width)]
    _prepare[(triton.cdiv(size * size, _PIXELS),)](
        raw.contiguous(),
        out,
        height,
        width,
        size,
        height / size,
        width / size,
        low,
        high - low,
        *MEAN,
        *DEVIATION,
        TALL=taps[0],
        BROAD=taps[1],
        PIXELS=_PIXELS,
    )
    return out


def self_test(device: torch.device) -> float:
    """Return the largest error on a small example, relative to the largest value."""
    raw = torch.randint(0, 1000, (40, 23), generator=torch.Generator().manual_seed(0)).to(device, torch.int16)
    found, truth = (run(raw, 100.0, 800.0, 16) for run in (triton_model_pixels, plain_model_pixels))
    return float((found - truth).abs().max() / truth.abs().max())

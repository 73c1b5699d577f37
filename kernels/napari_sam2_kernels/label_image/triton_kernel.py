"""Upsample, threshold and argmax on a GPU: only the label image is ever written."""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

from napari_sam2_kernels.jit import jit
from napari_sam2_kernels.label_image.reference import plain_label_image

_PIXELS = 256


@jit
def _source(at, step, length):
    """The two cells on either side of a pixel, and the share of the second."""
    place = tl.maximum((at.to(tl.float32) + 0.5) * step - 0.5, 0.0)
    first = tl.minimum(place.to(tl.int32), length - 1)
    return first, tl.minimum(first + 1, length - 1), place - first.to(tl.float32)


@jit
def _label(logits, ids, labels, objects, height, width, rows, columns, down, across, PIXELS: tl.constexpr):
    pixel = tl.program_id(0) * PIXELS + tl.arange(0, PIXELS)
    inside = pixel < rows * columns
    upper, lower, below = _source(pixel // columns, down, height)
    left, right, beside = _source(pixel % columns, across, width)
    best = tl.zeros((PIXELS,), tl.float32)
    label = tl.zeros((PIXELS,), tl.int32)
    own = logits
    for number in range(objects):
        a = tl.load(own + upper * width + left, mask=inside, other=0.0).to(tl.float32)
        b = tl.load(own + upper * width + right, mask=inside, other=0.0).to(tl.float32)
        c = tl.load(own + lower * width + left, mask=inside, other=0.0).to(tl.float32)
        d = tl.load(own + lower * width + right, mask=inside, other=0.0).to(tl.float32)
        first = (1 - beside) * a + beside * b
        second = (1 - beside) * c + beside * d
        here = (1 - below) * first + below * second
        wins = here > best
        best = tl.where(wins, here, best)
        label = tl.where(wins, tl.load(ids + number), label)
        own += height * width
    tl.store(labels + pixel, label, mask=inside)


def triton_label_image(logits: Tensor, ids: Tensor, shape: tuple[int, int]) -> Tensor:
    """Return a label image; see `reference.plain_label_image`."""
    objects, height, width = logits.shape
    labels = torch.empty(shape, dtype=torch.int32, device=logits.device)
    _label[(triton.cdiv(labels.numel(), _PIXELS),)](
        logits.contiguous(),
        ids.to(logits.device, torch.int32).contiguous(),
        labels,
        objects,
        height,
        width,
        *shape,
        height / shape[0],
        width / shape[1],
        PIXELS=_PIXELS,
    )
    return labels


def self_test(device: torch.device) -> float:
    """Return the share of pixels of a small example that differ."""
    logits = torch.randn(3, 9, 7, generator=torch.Generator().manual_seed(0)).to(device)
    ids = torch.tensor([4, 7, 2], device=device)
    found, truth = (run(logits, ids, (30, 41)) for run in (triton_label_image, plain_label_image))
    return float((found != truth).float().mean())

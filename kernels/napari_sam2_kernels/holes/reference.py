"""Connected components of the background in plain torch: labels spread until nothing changes."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor


def plain_components(mask: Bool[Tensor, "n h w"]) -> Int[Tensor, "n h w"]:
    """Return, for every pixel of a mask, the smallest pixel number (row by row) of its 8-connected component.

    Elsewhere -1. Takes as many steps as the longest way within a component.
    """
    _, height, width = mask.shape
    far = height * width
    number = torch.arange(far, device=mask.device).reshape(1, height, width).expand_as(mask)
    labels = torch.where(mask, number, far)
    while True:
        # Numbers below 2^24 survive as float32; float64 holds them all.
        spread = -F.max_pool2d(-labels[:, None].double(), kernel_size=3, stride=1, padding=1)[:, 0].long()
        new = torch.where(mask, spread, far)
        if torch.equal(new, labels):
            return torch.where(mask, labels, -1)
        labels = new


def plain_fill_holes(logits: Float[Tensor, "n h w"], area: int, value: float = 0.1) -> Float[Tensor, "n h w"]:
    """Return the logits with islands of background of at most `area` pixels at `value`.

    Background is what is not above zero; islands are 8-connected, and those at the border count too.
    """
    background = logits <= 0
    labels = plain_components(background)
    count, height, width = logits.shape
    first = torch.arange(count, device=logits.device)[:, None, None] * height * width
    places = torch.where(background, labels + first, count * height * width).flatten()
    sizes = torch.bincount(places, minlength=count * height * width + 1)
    small = (sizes[places] <= area).reshape(logits.shape) & background
    return torch.where(small, value, logits)

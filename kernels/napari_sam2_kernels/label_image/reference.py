"""Upsample, threshold and argmax in plain torch, one object at a time."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor


def plain_label_image(
    logits: Float[Tensor, "o h w"], ids: Int[Tensor, o], shape: tuple[int, int]
) -> Int[Tensor, "H W"]:
    """Return a label image: bilinear logits, the largest wins where it is above zero.

    Where two are level the object that comes first wins. Only two maps of the image's size are held, however
    many objects there are.

    Parameters
    ----------
    logits
        (o, h, w).
    ids
        (o,): what is written for each object; 0 is the background.
    shape
        (H, W) of the image.

    Returns
    -------
    Tensor
        int32 (H, W).
    """
    best = logits.new_zeros(shape, dtype=torch.float32)
    labels = torch.zeros(shape, dtype=torch.int32, device=logits.device)
    for own, number in zip(logits, ids.to(torch.int32), strict=True):
        large = F.interpolate(own[None, None].float(), shape, mode="bilinear", align_corners=False)[0, 0]
        wins = large > best
        labels = torch.where(wins, number, labels)
        best = torch.where(wins, large, best)
    return labels
